// The samples in docs/: each command line and its output, to be compared with a run.
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Sample {
  /** As typed after `$ `. */
  readonly command: string;
  /** Both streams, as on a terminal. */
  readonly output: string;
}

const DOCS = join(import.meta.dirname, "../../docs");

/** The samples of a page, in its order: blocks indented by four columns whose first line begins with `$ `. */
export function readSamples(page: string): readonly Sample[] {
  const blocks =
    readFileSync(join(DOCS, page), "utf8").match(/(?:^ {4}.*\n(?:^\n(?=^ {4}))?)+/gm) ?? [];
  return blocks
    .map((it) => it.replace(/^ {4}/gm, ""))
    .filter((it) => it.startsWith("$ "))
    .flatMap((it) => it.split(/^\$ /m).slice(1))
    .map((it) => {
      const end = it.indexOf("\n");
      return { command: it.slice(0, end), output: it.slice(end + 1) };
    });
}

/** The text without what differs from run to run: sizes, and digests except for which of them are equal. */
export function makeMask(): (text: string) => string {
  const digests = new Map<string, number>();
  return (text) =>
    text
      .replaceAll(/127\.0\.0\.1:\d+/g, "REGISTRY")
      .replaceAll(/\d+(\.\d+)? (bytes|kB)/g, "SIZE")
      .replaceAll(/\b[0-9a-f]{64}\b/g, (digest) => {
        const number = digests.get(digest) ?? digests.size;
        digests.set(digest, number);
        return `DIGEST-${number}`;
      });
}
