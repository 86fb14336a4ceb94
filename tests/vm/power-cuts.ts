// `xtask power-cuts`: makes cuts, continues the journal, and prints the tables of the journal.
import { parseArgs } from "node:util";
import { parseCount } from "../../xtask/count.ts";
import { formatJournal, MODES, PHASES, readCuts, shownCuts } from "./cut-journal.ts";
import { runCuts } from "./cuts.ts";
import { missingForLab, openLab } from "./lab.ts";
import { chosenCells } from "./uefi/cells.ts";
import { targetOf } from "./uefi/cut-target.ts";
import { missingForEfi } from "./uefi/firmware.ts";
import { PACKAGES } from "./uefi/installer.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "30" },
    seed: { type: "string" },
    mode: { type: "string" },
    phase: { type: "string" },
    journal: { type: "string", default: "target/vm/power-cuts.jsonl" },
    slot: { type: "string", default: "1" },
    cell: { type: "string" },
    continue: { type: "boolean", default: false },
  },
});

const [cell, ...others] = values.cell === undefined ? [] : chosenCells(values.cell);
if (others.length > 0) throw new Error("--cell takes one cell");
const target = cell === undefined ? undefined : targetOf(cell);
const missing = (await missingForLab()) ?? (cell === undefined ? undefined : await missingForEfi());
if (missing !== undefined) throw new Error(missing);
const mode = MODES.find((it) => it === values.mode);
if (values.mode !== undefined && mode === undefined) throw new Error(`no mode ${values.mode}`);
const phase = PHASES.find((it) => it === values.phase);
if (values.phase !== undefined && phase === undefined) throw new Error(`no phase ${values.phase}`);
const count = parseCount("--count", values.count, 0);
const seed = values.seed ?? String(Date.now());
process.stderr.write(`${count} cuts, seed ${seed}, journal ${values.journal}\n`);

const slot = parseCount("--slot", values.slot, 0);
const lab =
  count > 0
    ? await openLab(`cuts-${values.slot}`, { slot, packages: cell === undefined ? [] : PACKAGES })
    : undefined;
try {
  const wish = {
    ...{ count, seed, journal: values.journal, isContinued: values.continue },
    ...(mode === undefined ? {} : { mode }),
    ...(phase === undefined ? {} : { phase }),
    ...(target === undefined ? {} : { target }),
  };
  if (lab !== undefined) await runCuts(lab, wish);
} finally {
  await lab?.close();
}
const journal = await readCuts(values.journal);
process.stdout.write(`${formatJournal(journal, cell?.name)}\n`);
if (shownCuts(journal, cell?.name).some((it) => it.verdict === "failed")) process.exitCode = 1;
