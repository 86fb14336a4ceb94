// A machine that tries broken images: started until it is back, and asked what it remembers.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { withDisk } from "./boot-entry.ts";
import { type Breakage, offerImage } from "./health-images.ts";
import { installArgs, type Lab, newDiskFile, rootOffset, runInstall, type Variant } from "./lab.ts";
import { type DescribeBoot, type Disk, type Machine, startMachine } from "./machine.ts";
import { waitFor } from "./shell.ts";

/** A boot, the limit of the trial, and a shutdown, all under emulation on a busy machine. */
const START_LIMIT_MS = 1_200_000;

/** The machine reboots by itself wherever it stops; without `init`, a system that has none ends in a shell. */
export const UNATTENDED = [
  "console=ttyS0",
  "init=/sbin/init",
  "mitigations=off",
  "panic=1",
  "rd.shell=0",
  "rd.emergency=reboot",
] as const;

export interface TriedMachine {
  readonly lab: Lab;
  readonly describe: DescribeBoot;
  /** The disk, whose last partition is the root, with ext4. */
  readonly disk: string;
  /** The boot that goes on, if any. */
  current: Machine;
  /** The logs of all boots. */
  readonly consoles: string[];
}

/** The machine, if the installation before all tests has succeeded. */
export function requireInstalled(tried: TriedMachine | undefined): TriedMachine {
  if (tried === undefined) throw new Error("the machine was not installed");
  return tried;
}

/** Installs `os:latest` with its own GRUB. */
export async function installGrub(lab: Lab, path: string, kargs: readonly string[]): Promise<Disk> {
  await newDiskFile(path, 6);
  const ran = await runInstall(lab, [
    ...["to-disk", "--via-loopback", "--filesystem", "ext4", "--bootloader", "grub"],
    ...[...installArgs(lab, "latest"), ...kargs.flatMap((it) => ["--karg", it]), path],
  ]);
  expect(ran.status, ran.stderr).toBe(0);
  return { path, startsItself: true };
}

interface Wanted {
  /** The image that it has to run in the end. */
  readonly tag: string;
  /** For the console logs. */
  readonly name: string;
  /** More arguments for qemu. */
  readonly devices?: readonly string[];
}

/** Starts the machine, again and again as it reboots, until it runs `tag`. */
export async function startUntilOn(
  { describe, consoles }: Pick<TriedMachine, "describe" | "consoles">,
  { tag, name, devices = [] }: Wanted,
) {
  const startedAt = Date.now();
  for (let starts = 1; starts <= 6; starts += 1) {
    const boot = await describe(name);
    const machine = await startMachine({ ...boot, devices: [...(boot.devices ?? []), ...devices] });
    consoles.push(machine.consolePath);
    const found = await waitFor(`${tag}, or the end of the machine`, START_LIMIT_MS, async () => {
      if (machine.hasEnded()) return "ended";
      return (await runs(machine, tag)) ? "runs" : undefined;
    }).catch(async (error: unknown) => {
      await machine.cut();
      throw error;
    });
    if (found === "runs") return { machine, starts, ms: Date.now() - startedAt };
    await machine.waitForEnd();
  }
  throw new Error(`the machine does not come to \`${tag}\``);
}

/** Whether the machine answers, and runs `tag`. */
export async function runs(machine: Machine, tag: string): Promise<boolean> {
  if (machine.hasEnded()) return false;
  const ran = await machine.run("cat /usr/share/variant", 60_000).catch(() => undefined);
  return ran?.stdout.trim() === tag;
}

/** The image before may have left it elsewhere. */
export async function ensureGood(tried: TriedMachine): Promise<void> {
  if (await runs(tried.current, "good")) return;
  if (!tried.current.hasEnded()) await tried.current.cut();
  tried.current = (await startUntilOn(tried, { tag: "good", name: "again" })).machine;
}

/** Stages `os:TAG` and ends the boot; returns the digest. */
export async function update(tried: TriedMachine, tag: string, image: Variant): Promise<string> {
  const digest = await offerImage(tried.lab, tag, image);
  await tried.current.must("bootc upgrade --quiet");
  await tried.current.reboot();
  return digest;
}

/** What the shutdown has written for the boot that follows, a line for each value. */
export async function readTrial(disk: string): Promise<readonly string[]> {
  const offset = await rootOffset(disk);
  const text = await withDisk(disk, { offset, readOnly: true }, (dir) =>
    readFile(join(dir, "ostree/bootc/health/trial"), "utf8"),
  );
  return text.trimEnd().split("\n");
}

/** Has the machine try the image, and requires that it comes back with the reason and holds the image. */
export async function expectBack(tried: TriedMachine, breakage: Breakage, loader: string) {
  const { name, image, reason, devices = [] } = breakage;
  await ensureGood(tried);
  const digest = await update(tried, name, image);
  expect(await readTrial(tried.disk)).toEqual(
    expect.arrayContaining(["state=armed", `loader=${loader}`]),
  );
  const back = await startUntilOn(tried, { tag: "good", name, devices });
  tried.current = back.machine;
  const { health, held } = await readBack(back.machine);
  const seen = { loader, starts: back.starts, seconds: Math.round(back.ms / 1000), ...health };
  process.stderr.write(`${name}: ${JSON.stringify(seen)}\n`);
  expect(health).toMatchObject({ outcome: "went-back", digest, version: name });
  expect(health?.reason).toMatch(reason);
  expect(held).toContain(digest);
  expect(await back.machine.must("bootc updates run")).toContain("is held because it went back");
  expect((await back.machine.run("bootc upgrade")).status).toBe(7);
  return seen;
}

/** Waits until the checks of this boot are over. They run at each, because the images have checks. */
export async function restUntilSettled(machine: Machine): Promise<void> {
  await waitFor("the verdict", 900_000, async () => {
    const ran = await machine.run("systemctl is-active bootc-health.service");
    return ["active", "failed"].includes(ran.stdout.trim()) || undefined;
  });
}

export async function readBack(machine: Machine) {
  await restUntilSettled(machine);
  return JSON.parse(await machine.must("bootc updates status --json")) as {
    readonly held: readonly string[];
    readonly health: { readonly reason: string; readonly outcome: string } | null;
  };
}

/** Requires that a system is found healthy and that nothing of its trial is left. */
export async function expectProved(machine: Machine): Promise<void> {
  await restUntilSettled(machine);
  expect(await machine.must("ls /sysroot/ostree/bootc/health")).toBe("");
  expect((await readBack(machine)).health).toBeNull();
  // The target waits for the verdict, but nothing in these images wants it.
  await machine.must("systemctl start boot-complete.target");
  expect(await machine.must("systemctl is-active boot-complete.target")).toBe("active");
}
