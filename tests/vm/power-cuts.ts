// `xtask power-cuts`: makes cuts, continues the journal, and prints the table of their phases.
import { parseArgs } from "node:util";
import { parseCount } from "../../xtask/count.ts";
import { cutsOf, formatTable, MODES, readCuts } from "./cut-journal.ts";
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
    journal: { type: "string", default: "target/vm/power-cuts.jsonl" },
    slot: { type: "string", default: "1" },
    cell: { type: "string" },
  },
});

const [cell, ...others] = values.cell === undefined ? [] : chosenCells(values.cell);
if (others.length > 0) throw new Error("--cell takes one cell");
const target = cell === undefined ? undefined : targetOf(cell);
const missing = (await missingForLab()) ?? (cell === undefined ? undefined : await missingForEfi());
if (missing !== undefined) throw new Error(missing);
const mode = MODES.find((it) => it === values.mode);
if (values.mode !== undefined && mode === undefined) throw new Error(`no mode ${values.mode}`);
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
    ...{ count, seed, journal: values.journal },
    ...(mode === undefined ? {} : { mode }),
    ...(target === undefined ? {} : { target }),
  };
  if (lab !== undefined) await runCuts(lab, wish);
} finally {
  await lab?.close();
}
const cuts = cutsOf(await readCuts(values.journal), cell?.name);
process.stdout.write(`${formatTable(cuts)}\n`);
if (cuts.some((it) => it.verdict === "failed")) process.exitCode = 1;
