// Power cuts on a machine with EFI: one of the cells, installed by a running system and started by its firmware.
import { join } from "node:path";
import type { CutTarget } from "../cuts.ts";
import { type Lab, newDiskFile } from "../lab.ts";
import type { DescribeBoot } from "../machine.ts";
import type { Cell } from "./cells.ts";
import { describeEfi, forgetBoard } from "./firmware.ts";
import { bootInstaller, INSTALLER, MASK_GRUB_COMMON, runScript } from "./installer.ts";

/** Emulation is slow enough without what protects a processor that exists. */
const KARGS = 'kargs = ["console=ttyS0", "mitigations=off"]\n';

/** How the machine of a cell is cut. Those that need more than their script to be installed are refused. */
export function targetOf(cell: Cell): CutTarget {
  if (cell.takeover !== undefined || cell.isSigned === true) {
    throw new Error(
      `the power of ${cell.name} cannot be cut: choose a cell that one script installs`,
    );
  }
  return {
    cell: cell.name,
    variant: {
      files: { "usr/lib/bootc/kargs.d/10-test.toml": KARGS },
      lines: [MASK_GRUB_COMMON],
    },
    isSealed: cell.isEncrypted,
    install: (lab) => installCell(lab, cell),
    describe: async (lab) => describeCell(lab, cell),
  };
}

function diskOf(lab: Lab, cell: Cell): string {
  return join(lab.dir, `${cell.name}.raw`);
}

/** A TPM opens a root only on the board that encrypted it. */
function boardOf(cell: Cell): string {
  return cell.isEncrypted ? INSTALLER : cell.name;
}

/** Installs `os:latest` as the cell says. */
async function installCell(lab: Lab, cell: Cell): Promise<void> {
  const path = diskOf(lab, cell);
  await newDiskFile(path, 5);
  const installer = await bootInstaller(lab, { tag: "latest" }, [path]);
  try {
    const script = { text: cell.script, source: "latest", target: "latest", index: 0 };
    const ran = await runScript(lab, installer, script);
    if (ran.status !== 0) throw new Error(`${cell.name} cannot be installed: ${ran.status}`);
    await installer.run("systemctl poweroff", 60_000);
    await installer.waitForEnd();
  } finally {
    await installer.cut();
  }
  if (!cell.isEncrypted) await forgetBoard(lab, boardOf(cell));
}

/** The machine loses what it has not flushed to its disk. */
function describeCell(lab: Lab, cell: Cell): DescribeBoot {
  const disk = { path: diskOf(lab, cell), startsItself: true, losesUnflushed: true };
  const efi = { board: boardOf(cell), disk, hasTpm: cell.isEncrypted };
  return (name) => describeEfi(lab, name, efi);
}
