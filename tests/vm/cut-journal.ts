// The journal of power cuts, with a line for each, and the table made from it.
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** The phases of an update in which the power can go. */
export const PHASES = ["pull", "import", "stage", "finalize", "first-boot"] as const;
export type Phase = (typeof PHASES)[number];

/** What is lost with the power: nothing that the guest wrote, or everything that it did not flush. */
export const MODES = ["keeps-writes", "loses-unflushed"] as const;
export type Mode = (typeof MODES)[number];

export interface Cut {
  readonly date: string;
  /** The machine with EFI; none for the one whose boot loader the harness plays. */
  readonly cell?: string;
  /** Repeats the choice of phase, mode and moment. */
  readonly seed: string;
  readonly mode: Mode;
  /** The phase that was aimed at, and the last step seen. */
  readonly phase: Phase;
  readonly seen: string;
  /** Milliseconds since the phase began. */
  readonly afterMs: number;
  /** Which system came up. */
  readonly booted: "old" | "new" | "none";
  readonly verdict: "ok" | "failed";
  /** The faults; empty when there were none. */
  readonly problems: readonly string[];
  /** How long each step took. */
  readonly seconds?: Readonly<Record<string, number>>;
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

/** The cuts of one machine; a journal may have those of several. */
export function cutsOf(cuts: readonly Cut[], cell: string | undefined): readonly Cut[] {
  return cuts.filter((it) => it.cell === cell);
}

/** The number of the next cut of `seed`, counted from 1; cuts in the journal are not repeated. */
export function nextNumber(cuts: readonly Cut[], seed: string): number {
  const own = cuts.filter((it) => it.seed.startsWith(`${seed}-`));
  return Math.max(0, ...own.map((it) => Number(it.seed.slice(seed.length + 1)))) + 1;
}

/** The actual phase, by the last step seen; a cut that was aimed at one phase may come in the next. */
const PHASE_SEEN: Readonly<Record<string, Phase>> = {
  plan: "pull",
  pull: "pull",
  import: "import",
  stage: "stage",
  done: "stage",
  finalizing: "finalize",
  "shutting down": "finalize",
  // What older journals call the boot loader.
  kernel: "first-boot",
  "boot loader": "first-boot",
  initramfs: "first-boot",
  "user space": "first-boot",
};

function cutsIn(cuts: readonly Cut[], phase: Phase, mode: Mode): readonly Cut[] {
  return cuts.filter((it) => PHASE_SEEN[it.seen] === phase && it.mode === mode);
}

function formatRows(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The cuts that a run prints, and that decide its exit status: those of one machine with EFI, or by default all. */
export function shownCuts(cuts: readonly Cut[], cell: string | undefined): readonly Cut[] {
  return cell === undefined ? cuts : cutsOf(cuts, cell);
}

/** Their tables: one for `cell`; by default, one for the machine of the harness and one for all cells. */
export function formatJournal(cuts: readonly Cut[], cell: string | undefined): string {
  if (cell !== undefined) return formatTable(cutsOf(cuts, cell));
  const harness = cutsOf(cuts, undefined);
  const hasCells = cuts.length > harness.length;
  return [
    ...(harness.length > 0 || !hasCells ? [formatTable(harness)] : []),
    ...(hasCells ? [formatCells(cuts)] : []),
  ].join("\n\n");
}

/** What came up after the cuts of each machine with EFI, by phase and mode, as a Markdown table. */
function formatCells(cuts: readonly Cut[]): string {
  const cells = [...new Set(cuts.flatMap((it) => it.cell ?? []))];
  const columns = cells.map((it) => cutsOf(cuts, it));
  const rows = PHASES.flatMap((phase) =>
    MODES.map((mode) => [phase, mode, ...columns.map((it) => whatBooted(cutsIn(it, phase, mode)))]),
  );
  return formatRows([
    ["under way", "power cut", ...cells],
    ["---", "---", ...cells.map(() => "---")],
    ...rows,
    ["all", "", ...columns.map((it) => it.length)],
    ["failed", "", ...columns.map((it) => it.filter((cut) => cut.verdict === "failed").length)],
  ]);
}

/** For example `2 old, 1 new`. */
function whatBooted(cuts: readonly Cut[]): string {
  const counts = (["old", "new", "none"] as const).map((booted) => {
    const count = cuts.filter((it) => it.booted === booted).length;
    return count === 0 ? [] : [`${count} ${booted}`];
  });
  return counts.flat().join(", ");
}

/** Cuts by phase and mode as a Markdown table: how many, what came up, what failed. */
function formatTable(cuts: readonly Cut[]): string {
  const rows = PHASES.flatMap((phase) =>
    MODES.map((mode) => {
      const here = cutsIn(cuts, phase, mode);
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
  return formatRows([
    ["under way", "power cut", "cuts", "booted old", "booted new", "failed"],
    ["---", "---", "---", "---", "---", "---"],
    ...rows,
    ["all", "", cuts.length, "", "", failed],
  ]);
}
