// The journal of tried steps, a line for each, so that a run continues where the last one ended; and its tables.
import { appendLine, readLines } from "../journal-lines.ts";
import { KINDS, type Kind, nameOf } from "./steps.ts";
import type { Tried } from "./trial.ts";

type Line = Tried & { readonly executable: string };

export async function appendTried(path: string, executable: string, tried: Tried): Promise<void> {
  await appendLine(path, { executable, ...tried } satisfies Line);
}

/** The steps tried with this executable; if one was tried again, only the last time. */
export async function readTried(path: string, executable: string): Promise<readonly Tried[]> {
  const lines = (await readLines<Line>(path)).filter((it) => it.executable === executable);
  return [...new Map(lines.map((it) => [nameOf(it), it])).values()];
}

/** By scenario and kind: how many steps, how many calls were disturbed, and how the verb ended. */
export function formatTable(tried: readonly Tried[]): string {
  const reached = tried.filter((it) => it.fired > 0);
  const row = (scenario: string, kind: string, some: readonly Tried[]) => [
    ...[scenario, kind, some.length, some.reduce((sum, it) => sum + it.fired, 0)],
    some.filter((it) => it.status === 0).length,
    some.filter((it) => it.status === 8).length,
    some.filter((it) => it.status !== null && it.status !== 0 && it.status !== 8).length,
    some.filter((it) => it.problems.length > 0).length,
  ];
  const scenarios = Map.groupBy(reached, (it) => it.scenario);
  const rows = [...scenarios].flatMap(([scenario, some]) =>
    (Object.keys(KINDS) as Kind[]).flatMap((kind) => {
      const here = some.filter((it) => it.kind === kind);
      return here.length === 0 ? [] : [row(scenario, kind, here)];
    }),
  );
  return formatRows(
    ["verb", "kind", "steps", "disturbed", "done", "space (8)", "other", "wrong"],
    [...rows, row("all", "", reached)],
  );
}

/** By system call: how many steps, and how many were wrong. */
export function formatCalls(tried: readonly Tried[]): string {
  const calls = Map.groupBy(
    tried.filter((it) => it.call !== ""),
    (it) => it.call,
  );
  const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) =>
    tried.some((it) => it.kind === kind),
  );
  const rows = [...calls]
    .sort()
    .map(([call, some]) => [
      call,
      ...kinds.map((kind) => some.filter((it) => it.kind === kind).length),
      some.filter((it) => it.problems.length > 0).length,
    ]);
  return formatRows(["call", ...kinds, "wrong"], rows);
}

function formatRows(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const isText = (i: number) => rows.every((it) => typeof it[i] === "string");
  const rule = head.map((_, i) => (isText(i) ? "---" : "---:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
