// Looks at the machine while all programs of a verb wait: it is what SIGKILL would leave there.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Facts, readFacts } from "./facts.ts";
import { fsckPruned } from "./fsck.ts";

export interface LookedAt {
  readonly sysroot: string;
  readonly run: string;
  readonly repo: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What was found before this call and, until the next view, before those after it. */
export interface View {
  readonly before: number;
  readonly facts: Facts;
  readonly fsck: readonly string[];
}

/** Returns what looks, and answers undefined when it finds what it found the last time. */
export function startLooking(host: LookedAt): (before: number) => View | undefined {
  let [objects, found] = ["", ""];
  let complaints: readonly string[] = [];
  return (before) => {
    const facts = readFacts(host);
    const listed = JSON.stringify([facts.refs, listObjects(host.repo)]);
    if (listed !== objects) complaints = fsckPruned(host.repo, host.env);
    objects = listed;
    const all = JSON.stringify([facts, complaints]);
    if (all === found) return undefined;
    found = all;
    return { before, facts, fsck: complaints };
  };
}

/** Objects never change, and their marks are in `state`. */
function listObjects(repo: string): readonly string[] {
  const places = readdirSync(join(repo, "objects")).map((it) => `objects/${it}`);
  return [...places, "state"].flatMap((dir) => readdirSync(join(repo, dir)).sort());
}
