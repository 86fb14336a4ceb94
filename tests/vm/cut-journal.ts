// The journal of power cuts: a line for each, appended, and the table made of them.
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Where in an update the power can go. */
export const PHASES = ["pull", "import", "stage", "finalize", "first-boot"] as const;
export type Phase = (typeof PHASES)[number];

/** What is lost with the power: nothing the guest wrote, or everything it did not flush. */
export const MODES = ["keeps-writes", "loses-unflushed"] as const;
export type Mode = (typeof MODES)[number];

export interface Cut {
  readonly date: string;
  /** Repeats the choice of phase, mode and moment. */
  readonly seed: string;
  readonly mode: Mode;
  /** The phase that was aimed at, and the step of it that was seen last. */
  readonly phase: Phase;
  readonly seen: string;
  /** After the phase began, in milliseconds. */
  readonly afterMs: number;
  /** Which system came up. */
  readonly booted: "old" | "new" | "none";
  readonly verdict: "ok" | "failed";
  /** What was wrong; empty when nothing was. */
  readonly problems: readonly string[];
}

export async function appendCut(path: string, cut: Cut): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `${JSON.stringify(cut)}\n`);
}

export async function readCuts(path: string): Promise<readonly Cut[]> {
  const text = await readFile(path, "utf8").catch((error: { code?: string }) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Cut);
}

/** The number of the next cut of `seed`, from 1: what the journal has of it is not done again. */
export function nextNumber(cuts: readonly Cut[], seed: string): number {
  const own = cuts.filter((it) => it.seed.startsWith(`${seed}-`));
  return Math.max(0, ...own.map((it) => Number(it.seed.slice(seed.length + 1)))) + 1;
}

/** The phase that was under way, by what was seen last; a cut that was aimed at one may fall in the next. */
const PHASE_SEEN: Readonly<Record<string, Phase>> = {
  plan: "pull",
  pull: "pull",
  import: "import",
  stage: "stage",
  done: "stage",
  "shutting down": "finalize",
  kernel: "first-boot",
  initramfs: "first-boot",
  "user space": "first-boot",
};

/** Cuts by phase and mode as a Markdown table: how many, what came up, what failed. */
export function formatTable(cuts: readonly Cut[]): string {
  const rows = PHASES.flatMap((phase) =>
    MODES.map((mode) => {
      const here = cuts.filter((it) => PHASE_SEEN[it.seen] === phase && it.mode === mode);
      const count = (test: (cut: Cut) => boolean) => here.filter(test).length;
      return [
        phase,
        mode,
        here.length,
        count((it) => it.booted === "old"),
        count((it) => it.booted === "new"),
        count((it) => it.verdict === "failed"),
      ];
    }),
  );
  const failed = cuts.filter((it) => it.verdict === "failed").length;
  const lines = [
    ["under way", "power cut", "cuts", "booted old", "booted new", "failed"],
    ["---", "---", "---", "---", "---", "---"],
    ...rows,
    ["all", "", cuts.length, "", "", failed],
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
