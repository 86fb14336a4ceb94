// Sending a source RPM to COPR: one multipart request, streamed, found again when its answer is lost.

import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { BootcError, kindOf } from "../../src/errors.ts";
import { asksForPatience } from "../remote/http.ts";
import { listBuilds, type ProjectName, parseBuild } from "./api.ts";
import type { Build } from "./build-state.ts";
import { type Connection, call } from "./connection.ts";

export interface Upload extends ProjectName {
  /** Path of the `.src.rpm`. */
  readonly path: string;
  /** Options of the build, as the server's form names them. */
  readonly settings: object;
  /** Told how much of the file has been sent. */
  readonly onProgress: (sentBytes: number, sizeBytes: number) => void;
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

async function send(copr: Connection, upload: Upload): Promise<Build> {
  const { size } = await stat(upload.path);
  const boundary = `bootc-${randomUUID()}`;
  const head = formatHead(boundary, { json: upload.settings, name: basename(upload.path) });
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const answer = await call(copr, {
    method: "POST",
    path: "/build/create/upload",
    // A WSGI server in front of the form wants to know the length; a stream alone would be chunked.
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(head.length + size + tail.length),
    },
    body: () => chunksOf(upload, { head, tail, sizeBytes: size }),
    subject: `the upload of ${basename(upload.path)}`,
  });
  return parseBuild(answer.json);
}

function formatHead(
  boundary: string,
  { json, name }: { readonly json: object; readonly name: string },
): Buffer {
  if (/["\r\n]/.test(name)) throw new BootcError(`\`${name}\` cannot be the name of an upload`);
  return Buffer.from(
    [
      `--${boundary}`,
      'Content-Disposition: form-data; name="json"; filename="json"',
      "Content-Type: application/json",
      "",
      JSON.stringify(json),
      `--${boundary}`,
      `Content-Disposition: form-data; name="pkgs"; filename="${name}"`,
      "Content-Type: application/x-rpm",
      "",
      "",
    ].join("\r\n"),
  );
}

interface Frame {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly sizeBytes: number;
}

async function* chunksOf(
  { path, onProgress }: Upload,
  { head, tail, sizeBytes }: Frame,
): AsyncGenerator<Uint8Array> {
  yield head;
  let sentBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
    yield chunk as Uint8Array;
    sentBytes += (chunk as Uint8Array).length;
    onProgress(sentBytes, sizeBytes);
  }
  yield tail;
}
