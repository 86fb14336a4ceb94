// Broken images on a machine with its own GRUB: each goes back without help, with its reason, and is held.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appendLine } from "../journal-lines.ts";
import {
  BREAKAGES,
  type Breakage,
  chosenBreakages,
  goodImage,
  offerImage,
  prepareImage,
} from "./health-images.ts";
import { readBack, restUntilSettled, runs, startUntilOn } from "./health-machine.ts";
import {
  installArgs,
  type Lab,
  missingForLab,
  newDiskFile,
  openLab,
  retag,
  runInstall,
} from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";

const missing = await missingForLab();
const why = missing === undefined ? "" : ` (${missing})`;
const chosen = chosenBreakages(process.env.BOOTC_VM_HEALTH);

/** What was seen, a line for each image that a machine came back from. */
const JOURNAL = join(import.meta.dirname, "../../target/tests/vm-health.jsonl");

/** The machine reboots by itself wherever it stops; without `init`, a system that has none ends in a shell. */
const KARGS = [
  "console=ttyS0",
  "init=/sbin/init",
  "mitigations=off",
  "panic=1",
  "rd.shell=0",
  "rd.emergency=reboot",
].flatMap((it) => ["--karg", it]);

describe.skipIf(missing !== undefined)(`broken images${why}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;

  beforeAll(async () => {
    lab = await openLab("health", { slot: 4 });
    await prepareImage(lab, "good", goodImage());
    for (const { name, image } of chosen) await prepareImage(lab, name, image);
    await retag(lab, "good", "latest");
    const path = join(lab.dir, "health.raw");
    await newDiskFile(path, 6);
    const ran = await runInstall(lab, [
      ...["to-disk", "--via-loopback", "--filesystem", "ext4", "--bootloader", "grub"],
      ...[...installArgs(lab, "latest"), ...KARGS, path],
    ]);
    expect(ran.status, ran.stderr).toBe(0);
    disk = { path, startsItself: true };
    ({ machine } = await startUntilOn(lab, disk, { tag: "good", name: "install" }));
  }, 3_600_000);

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  async function update(tag: string, image: Breakage["image"]): Promise<string> {
    const digest = await offerImage(lab, tag, image);
    await machine.must("bootc upgrade --quiet");
    await machine.reboot();
    return digest;
  }

  /** The image before may have left it elsewhere. */
  async function ensureGood(): Promise<void> {
    if (await runs(machine, "good")) return;
    if (!machine.hasEnded()) await machine.cut();
    ({ machine } = await startUntilOn(lab, disk, { tag: "good", name: "again" }));
  }

  test.each(chosen)("$about: back on the old system", { timeout: 5_400_000 }, async (breakage) => {
    const { name, image, reason, devices = [] } = breakage;
    await ensureGood();
    const digest = await update(name, image);
    const back = await startUntilOn(lab, disk, { tag: "good", name, devices });
    machine = back.machine;
    const { health, held } = await readBack(machine);
    const seen = { starts: back.starts, seconds: Math.round(back.ms / 1000), ...health };
    process.stderr.write(`${name}: ${JSON.stringify(seen)}\n`);
    expect(health).toMatchObject({ outcome: "went-back", digest, version: name });
    expect(health?.reason).toMatch(reason);
    expect(held).toContain(digest);
    expect(await machine.must("bootc updates run")).toContain("is held because it went back");
    expect((await machine.run("bootc upgrade")).status).toBe(7);
    await appendLine(JOURNAL, { date: new Date().toISOString(), name, ...seen });
  });

  test("a new digest is taken by itself, and proves itself", { timeout: 5_400_000 }, async () => {
    await ensureGood();
    await offerImage(lab, "better", goodImage());
    // The answer may be lost with the connection.
    await machine.run("bootc updates run").catch(() => undefined);
    await machine.waitForEnd();
    ({ machine } = await startUntilOn(lab, disk, { tag: "better", name: "better" }));
    await restUntilSettled(machine);
    expect(await machine.must("ls /sysroot/ostree/bootc/health")).toBe("");
    expect((await readBack(machine)).health).toBeNull();
    // The target waits for the verdict, but nothing in this image wants it.
    await machine.must("systemctl start boot-complete.target");
    expect(await machine.must("systemctl is-active boot-complete.target")).toBe("active");
    expect(await machine.must("grub-editenv /boot/grub/grubenv list")).toBe("");
  });

  test("if both are bad, the old system runs on and says so", { timeout: 5_400_000 }, async () => {
    await machine.must("touch /var/fail");
    const digest = await update("both", (BREAKAGES[0] as Breakage).image);
    ({ machine } = await startUntilOn(lab, disk, { tag: "better", name: "both" }));
    const { health, held } = await readBack(machine);
    expect(health).toMatchObject({ outcome: "both-bad", digest });
    expect(held).toContain(digest);
    expect(machine.hasEnded()).toBe(false);
  });
});
