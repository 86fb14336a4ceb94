// Sends a source RPM to COPR in one streamed request, and finds its build if the answer is lost.
import { basename } from "node:path";
import { kindOf } from "../../../src/errors.ts";
import { type FileToSend, openToSend } from "../../remote/file-to-send.ts";
import { asksForPatience } from "../../remote/http.ts";
import { tryRepeatedly } from "../../remote/retry.ts";
import { listBuilds, type ProjectName, parseBuild } from "../api.ts";
import { type Connection, call } from "../connection.ts";
import type { Build } from "./build-state.ts";

export interface Upload extends ProjectName {
  /** Path of the `.src.rpm` file. */
  readonly path: string;
  /** Options of the build, with the names in the server's form. */
  readonly settings: object;
  readonly onProgress: FileToSend["onProgress"];
}

const TRIES = 3;

/**
 * Uploads the source RPM, which starts the build. After a lost connection, asks the server whether the upload
 * became a build, so that a second try never starts a second one.
 */
export async function uploadBuild(copr: Connection, upload: Upload): Promise<Build> {
  const newestId = await newestBuildId(copr, upload);
  const plan = {
    triesMax: TRIES,
    // The pause comes before the question.
    pauseMs: () => 0,
    mayRetry: isLost,
    describe: (message: string) => `${message}; sending it again`,
  };
  return await tryRepeatedly(copr, plan, (tried) => sendOrFind(copr, upload, { newestId, tried }));
}

async function sendOrFind(
  copr: Connection,
  upload: Upload,
  { newestId, tried }: { readonly newestId: number; readonly tried: number },
): Promise<Build> {
  try {
    return await send(copr, upload);
  } catch (error) {
    copr.signal.throwIfAborted();
    if (!isLost(error)) throw error;
    // Behind a proxy that gave up, the server may still be working.
    await copr.clock.pause(2000 * 2 ** tried, copr.signal);
    const build = await findNewBuild(copr, upload, newestId);
    if (build === undefined) throw error;
    copr.note(`the answer was lost, but the server has made build ${build.id} of the upload`);
    return build;
  }
}

function isLost(error: unknown): boolean {
  return kindOf(error) === "network" && !asksForPatience(error);
}

async function newestBuildId(copr: Connection, name: ProjectName): Promise<number> {
  const [newest] = await listBuilds(copr, { owner: name.owner, project: name.project, limit: 1 });
  return newest?.id ?? 0;
}

/** A build by this user that did not exist before the upload. */
async function findNewBuild(
  copr: Connection,
  name: ProjectName,
  before: number,
): Promise<Build | undefined> {
  const builds = await listBuilds(copr, { owner: name.owner, project: name.project, limit: 10 });
  const username = copr.credentials?.username;
  return builds.find(
    (build) => build.id > before && (username === undefined || build.submitter === username),
  );
}

/** `fetch` sends the length of a form, which a WSGI server needs to find anything in it. */
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
