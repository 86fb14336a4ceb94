// Sending a source RPM to COPR: one multipart request, streamed, found again when its answer is lost.
import { basename } from "node:path";
import { kindOf } from "../../../src/errors.ts";
import { type FileToSend, openToSend } from "../../remote/file-to-send.ts";
import { asksForPatience } from "../../remote/http.ts";
import { listBuilds, type ProjectName, parseBuild } from "../api.ts";
import { type Connection, call } from "../connection.ts";
import type { Build } from "./build-state.ts";

export interface Upload extends ProjectName {
  /** Path of the `.src.rpm`. */
  readonly path: string;
  /** Options of the build, as the server's form names them. */
  readonly settings: object;
  readonly onProgress: FileToSend["onProgress"];
}

const TRIES = 3;

/**
 * Uploads and starts the build. After a broken connection the server is asked whether a build came
 * of it, so that a second try never makes a second build.
 */
export async function uploadBuild(copr: Connection, upload: Upload): Promise<Build> {
  const before = await newestBuildId(copr, upload);
  for (let tried = 1; ; tried += 1) {
    try {
      return await send(copr, upload);
    } catch (error) {
      copr.signal.throwIfAborted();
      if (kindOf(error) !== "network" || asksForPatience(error)) throw error;
      // First the pause: behind a proxy that gave up, the server may still be at it.
      await copr.clock.pause(2000 * 2 ** tried, copr.signal);
      const build = await findNewBuild(copr, upload, before);
      if (build !== undefined) {
        copr.note(`the answer was lost, but the server has made build ${build.id} of the upload`);
        return build;
      }
      if (tried >= TRIES) throw error;
      copr.note(`${error instanceof Error ? error.message : String(error)}; sending it again`);
    }
  }
}

async function newestBuildId(copr: Connection, it: ProjectName): Promise<number> {
  const [newest] = await listBuilds(copr, { owner: it.owner, project: it.project, limit: 1 });
  return newest?.id ?? 0;
}

/** A build of this user that was not there before the upload. */
async function findNewBuild(
  copr: Connection,
  it: ProjectName,
  before: number,
): Promise<Build | undefined> {
  const builds = await listBuilds(copr, { owner: it.owner, project: it.project, limit: 10 });
  const username = copr.credentials?.username;
  return builds.find(
    (build) => build.id > before && (username === undefined || build.submitter === username),
  );
}

/** `fetch` states the length of a form, without which a WSGI server finds nothing in it. */
async function send(copr: Connection, { path, settings, onProgress }: Upload): Promise<Build> {
  const file = await openToSend({ path, type: "application/x-rpm", onProgress });
  const form = new FormData();
  form.append("json", new File([JSON.stringify(settings)], "json", { type: "application/json" }));
  form.append("pkgs", file);
  const subject = `the upload of ${basename(path)}`;
  const answer = await call(copr, {
    method: "POST",
    path: "/build/create/upload",
    body: form,
    isLarge: true,
    subject,
  });
  return parseBuild(answer.json);
}
