// Chooses the recordings of a command.
import { say } from "../long-run.ts";
import { missingForFileSystem } from "./file-systems.ts";
import { RECORDINGS } from "./recordings.ts";

/** Names of recordings, without those that this machine cannot make. */
export async function chooseRecordings(
  asked: readonly string[] | undefined,
): Promise<readonly string[]> {
  const names = asked ?? Object.keys(RECORDINGS);
  const usable = [];
  for (const name of names) {
    const recording = RECORDINGS[name];
    if (recording === undefined) {
      throw new Error(`no recording is named \`${name}\`: ${Object.keys(RECORDINGS).join(", ")}`);
    }
    const types = [recording.root, ...(recording.boot === undefined ? [] : [recording.boot])];
    const reasons = await Promise.all(types.map(missingForFileSystem));
    const reason = reasons.find((it) => it !== undefined);
    if (reason === undefined) usable.push(name);
    else if (asked === undefined) say(`skipped: ${name}: ${reason}`);
    else throw new Error(`\`${name}\` cannot be recorded here: ${reason}`);
  }
  return usable;
}
