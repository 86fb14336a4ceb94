// The running system that installs to further disks, and the scripts that it and an old system run for that.
import { type InstallWish, installDisk, type Lab } from "../lab.ts";
import type { Machine } from "../machine.ts";
import type { Cell } from "./cells.ts";
import { bootEfi, forgetBoard } from "./firmware.ts";

/** How long a guest may take to install or to fetch an update, under emulation. */
export const INSTALL_MS = 3_000_000;

/** What Debian has for a machine with EFI, for btrfs, and for a root that a TPM opens. */
export const PACKAGES = [
  ...["grub-efi-amd64-bin", "efibootmgr", "btrfs-progs", "cryptsetup-bin", "systemd-cryptsetup"],
  ...["tpm2-tools", "libtss2-rc0t64", "libtss2-tcti-device0t64", "refind"],
];

/** GRUB's service writes to its environment, and fails where a separate /boot is mounted read-only. */
export const MASK_GRUB_COMMON = "RUN ln -s /dev/null /etc/systemd/system/grub-common.service";

/** The board of the installing machine, whose TPM opens the roots that it encrypts. */
export const INSTALLER = "installer";

/** Boots a new machine with `os:TAG` that has further disks to install to. */
export async function bootInstaller(
  lab: Lab,
  { tag }: Pick<InstallWish, "tag">,
  disks: readonly string[],
): Promise<Machine> {
  const disk = await installDisk(lab, { name: INSTALLER, tag });
  await forgetBoard(lab, INSTALLER);
  return await bootEfi(lab, INSTALLER, { board: INSTALLER, disk, disks, hasTpm: true });
}

export interface Script {
  readonly text: string;
  /** The tags of the image to install, and of the one to follow. */
  readonly source: string;
  readonly target: string;
  /** Which of the machine's further disks it is for, counted from 0. */
  readonly index: number;
}

/** Runs a cell's script in a guest, with its variables; returns how it ended and what it said. */
export async function runScript(lab: Lab, machine: Machine, script: Script) {
  const { source, target, index } = script;
  const images = `${lab.registry.guestName}/os`;
  const common = [
    `--source-imgref docker://${images}:${source} --target-imgref ${images}:${target}`,
    "--root-ssh-authorized-keys /root/.ssh/authorized_keys",
  ];
  const variables = [
    `disk=/dev/vd${String.fromCharCode("b".charCodeAt(0) + index)} common='${common.join(" ")}'`,
    // A machine that enforces its policy has to be told to label by another one.
    "BOOTC_SETENFORCE0_FALLBACK=1",
  ];
  const prologue = `set -ex; export ${variables.join(" ")}`;
  const ran = await machine.run(`${prologue}\n${script.text}`, INSTALL_MS);
  process.stderr.write(`${ran.stdout}${ran.stderr}\n`);
  return ran;
}

/** What an installation with a boot loader says at its end. */
export function endOf({ loader }: Cell): readonly string[] {
  return [`Bootloader: ${loader}\n`, "Installation complete!"];
}
