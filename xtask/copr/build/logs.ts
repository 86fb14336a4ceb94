// Reads the logs of a build, which are plain files while it runs and compressed ones afterwards.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { BootcError, doing } from "../../../src/errors.ts";
import { decodeText, type HttpAnswer, request } from "../../remote/http.ts";
import { getSourceBuild, listBuildChroots } from "../api.ts";
import type { Connection } from "../connection.ts";
import type { Build } from "./build-state.ts";

const decompress = promisify(gunzip);

export type LogName = "builder-live" | "backend";

export interface LogPlace {
  /** `source` or a chroot. */
  readonly where: string;
  readonly resultUrl: string | undefined;
}

/** The places where a build may have logs: its source RPM, and each of its chroots. */
export async function listLogPlaces(
  copr: Connection,
  { id, state }: Pick<Build, "id" | "state">,
): Promise<readonly LogPlace[]> {
  const chroots = await listBuildChroots(copr, id);
  // Both phases begin with these states; in the second, the chroots no longer wait.
  const isBeforeSource =
    (state === "pending" || state === "starting") && chroots.every((it) => it.state === "waiting");
  const source = isBeforeSource ? undefined : await getSourceBuild(copr, id);
  return [
    { where: "source", resultUrl: source?.resultUrl },
    ...chroots.map((it) => ({ where: it.name, resultUrl: it.resultUrl })),
  ];
}

/** The text of a log; `undefined` while it does not exist. */
export async function readLog(
  copr: Connection,
  { resultUrl }: LogPlace,
  name: LogName,
): Promise<string | undefined> {
  if (resultUrl === undefined) return undefined;
  const base = logUrl({ resultUrl }, name);
  // A finished build has only the compressed file, a running one only the plain file.
  for (const url of [`${base}.gz`, base]) {
    const answer = await fetchLog(copr, url);
    if (answer !== undefined) return await doing(`reading ${url}`, () => textOf(answer));
  }
  return undefined;
}

/** The address of the log while the build runs; later, only `.gz` exists. */
export function logUrl({ resultUrl = "" }: Pick<LogPlace, "resultUrl">, name: LogName): string {
  return `${resultUrl.replace(/\/+$/, "")}/${name}.log`;
}

async function fetchLog(copr: Connection, url: string): Promise<HttpAnswer | undefined> {
  // Sends no credentials, because results are public and may be on another host.
  const answer = await request({ method: "GET", url, isRepeatable: true, isLarge: true }, copr);
  if (answer.status === 404) return undefined;
  if (answer.status === 200) return answer;
  throw new BootcError(`\`${url}\` answered ${answer.status}`, { kind: "network" });
}

/** A server may also declare the compression as an encoding, which fetch then undoes. */
async function textOf({ body }: HttpAnswer): Promise<string> {
  const isCompressed = body[0] === 0x1f && body[1] === 0x8b;
  return isCompressed ? decodeText(await decompress(body)) : decodeText(body);
}

export function lastLines(text: string, count: number): readonly string[] {
  // Progress bars rewrite their line with carriage returns; only its last state matters.
  const lines = text.trimEnd().split("\n");
  return lines.slice(-count).map((it) => it.trimEnd().split("\r").at(-1) ?? "");
}
