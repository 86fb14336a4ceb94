// Formats a build as a table: its phase, and a row with state and times for each chroot.
import type { Terminal } from "../../../src/system/context.ts";
import { describePhase, isFinal, lastMoment, type Progress, stateOfChroot } from "./build-state.ts";
import { alignColumns, colorState, formatDuration, formatTime } from "./table.ts";

/** Lines that fit into the terminal, so that redrawing covers exactly the rows that were drawn. */
export function progressLines(
  progress: Progress,
  nowEpoch: number,
  terminal: Pick<Terminal, "columns" | "hasColor">,
): readonly string[] {
  const { build, chroots } = progress;
  const name = [build.packageName, build.packageVersion].filter(Boolean).join(" ");
  const age = formatDuration(build.submittedOn, lastMoment(build, nowEpoch));
  const done = chroots.filter((it) => isFinal(stateOfChroot(build, it))).length;
  // An upload has no chroots before its source RPM has been read.
  const count = chroots.length === 0 ? "" : `, ${done} of ${chroots.length} chroots done`;
  const phase = `${describePhase(progress)}${count}`;
  const head = `build ${build.id}${name && `: ${name}`}: ${phase}${age && `, ${age}`}`;
  const rows = chroots.map((it) => {
    const state = stateOfChroot(build, it);
    const until = lastMoment({ state, endedOn: it.endedOn }, nowEpoch);
    return {
      state,
      cells: [it.name, state, formatTime(it.startedOn), formatDuration(it.startedOn, until)],
    };
  });
  const table = alignColumns([
    ["CHROOT", "STATE", "STARTED", "TIME"],
    ...rows.map((it) => it.cells),
  ]);
  return [head, ...table].map((line, i) => {
    const cut = line.slice(0, terminal.columns - 1);
    const state = rows[i - 2]?.state;
    return state !== undefined && terminal.hasColor ? colorState(cut, state) : cut;
  });
}
