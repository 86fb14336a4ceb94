// What a machine with EFI has in addition: its firmware with variables of its own, further disks, a TPM.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Lab, nextConsole } from "../lab.ts";
import {
  type BootOptions,
  bootMachine,
  type Disk,
  type Machine,
  startMachine,
} from "../machine.ts";
import { attempt, spawnBound, waitFor } from "../shell.ts";

/** OVMF without and with Secure Boot, and the variables of a machine that was never started. */
const CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const SECURE_CODE = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
const VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/** Why there is no machine with EFI here; undefined when there can be one. */
export async function missingForEfi(): Promise<string | undefined> {
  const needed = { "Debian's package ovmf": `test -e ${CODE}`, swtpm: "command -v swtpm" };
  const found = await Promise.all(
    Object.entries(needed).map(async ([name, test]) => {
      return (await attempt("sh", ["-c", test])).status === 0 ? [] : [name];
    }),
  );
  const missing = found.flat();
  return missing.length > 0 ? `needs ${missing.join(", ")}` : undefined;
}

export interface EfiMachine {
  /** Names the machine's firmware variables and the state of its TPM, which both outlive a boot. */
  readonly board: string;
  readonly disk: Disk;
  /** Further disks; the guest sees them as /dev/vdb and so on. */
  readonly disks?: readonly string[];
  readonly hasTpm?: boolean;
  readonly hasSecureBoot?: boolean;
}

/** Boots a machine by its firmware, or with the firmware and our own boot loader. */
export async function bootEfi(lab: Lab, name: string, efi: EfiMachine): Promise<Machine> {
  const machine = await bootMachine(await describeEfi(lab, name, efi));
  process.stderr.write(`${name}: ssh after ${Math.round(machine.bootMs / 1000)} s\n`);
  return machine;
}

/** Starts a machine whose firmware or boot loader restarts it by itself, and waits for that. */
export async function runUntilRestart(lab: Lab, name: string, efi: EfiMachine): Promise<void> {
  const machine = await startMachine(await describeEfi(lab, name, efi));
  await machine.waitForEnd().catch(async (error) => {
    await machine.cut();
    throw error;
  });
}

export async function describeEfi(lab: Lab, name: string, efi: EfiMachine): Promise<BootOptions> {
  const variables = await requireVariables(lab, efi.board);
  const pflash = "if=pflash,format=raw";
  const tpm = efi.hasTpm ? await startTpm(lab, efi.board) : [];
  const disks = (efi.disks ?? []).flatMap((path) => [
    ...["-drive", `file=${path},format=raw,if=virtio,cache=unsafe`],
  ]);
  const code = efi.hasSecureBoot ? SECURE_CODE : CODE;
  return {
    workDir: lab.dir,
    name: nextConsole(name),
    disk: efi.disk,
    devices: [
      // Only code in system management mode may then change the variables.
      ...(efi.hasSecureBoot ? ["-machine", "smm=on", "-global", "ICH9-LPC.disable_s3=1"] : []),
      ...(efi.hasSecureBoot ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : []),
      ...["-drive", `${pflash},unit=0,readonly=on,file=${code}`],
      ...["-drive", `${pflash},unit=1,file=${variables}`],
      // The firmware would try the network before the disk.
      ...["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n"],
      ...["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"],
      ...disks,
      ...tpm,
    ],
  };
}

function boardDir(lab: Lab, board: string): string {
  return join(lab.dir, "boards", board);
}

async function requireVariables(lab: Lab, board: string): Promise<string> {
  const dir = boardDir(lab, board);
  const path = join(dir, "variables.fd");
  await mkdir(dir, { recursive: true });
  if ((await attempt("test", ["-e", path])).status !== 0) await copyFile(VARIABLES, path);
  return path;
}

/** A board that was never used. */
export async function forgetBoard(lab: Lab, board: string): Promise<void> {
  await rm(boardDir(lab, board), { recursive: true, force: true });
}

/** The TPM of each board that has started one, by its state. */
const tpms = new Map<string, ChildProcess>();

/** Starts the TPM of a board; it ends with the machine. */
async function startTpm(lab: Lab, board: string): Promise<readonly string[]> {
  const state = join(boardDir(lab, board), "tpm");
  const socket = join(state, "socket");
  await mkdir(state, { recursive: true });
  // It ends with its machine, and locks its state until then.
  const former = tpms.get(state);
  if (former?.exitCode === null && former.signalCode === null) await once(former, "exit");
  await rm(socket, { force: true });
  const how = ["--tpm2", "--tpmstate", `dir=${state}`, "--ctrl", `type=unixio,path=${socket}`];
  const tpm = spawnBound("swtpm", ["socket", ...how, "--terminate"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  tpms.set(state, tpm);
  await waitFor("swtpm", 20_000, async () =>
    (await attempt("test", ["-S", socket])).status === 0 ? true : undefined,
  );
  return [
    ...["-chardev", `socket,id=tpm,path=${socket}`],
    ...["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"],
  ];
}
