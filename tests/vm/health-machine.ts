// A machine that tries broken images: started until it is back, and asked what it remembers.
import { type Lab, nextConsole } from "./lab.ts";
import { type Disk, type Machine, startMachine } from "./machine.ts";
import { waitFor } from "./shell.ts";

/** A boot, the limit of the trial, and a shutdown, all under emulation on a busy machine. */
const START_LIMIT_MS = 1_200_000;

interface Wanted {
  /** The image that it has to run in the end. */
  readonly tag: string;
  /** For the console logs. */
  readonly name: string;
  /** More arguments for qemu. */
  readonly devices?: readonly string[];
}

/** Starts the machine, again and again as it reboots, until it runs `tag`. */
export async function startUntilOn(lab: Lab, disk: Disk, { tag, name, devices = [] }: Wanted) {
  const startedAt = Date.now();
  for (let starts = 1; starts <= 6; starts += 1) {
    const machine = await startMachine({
      workDir: lab.dir,
      name: nextConsole(name),
      disk,
      devices,
    });
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
