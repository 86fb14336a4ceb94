// Broken images on a machine with its own GRUB: each goes back without help, with its reason, and is held.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  BREAKAGES,
  type Breakage,
  goodImage,
  readBack,
  restUntilSettled,
  startUntilOn,
} from "./health-images.ts";
import {
  installArgs,
  type Lab,
  missingForLab,
  newDiskFile,
  openLab,
  release,
  runInstall,
} from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";
import { attempt } from "./shell.ts";

const missing = await missingForLab();
const why = missing === undefined ? "" : ` (${missing})`;

describe.skipIf(missing !== undefined)(`broken images${why}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;

  beforeAll(async () => {
    lab = await openLab("health", { slot: 4 });
    await release(lab, "good", goodImage());
    const path = join(lab.dir, "health.raw");
    await newDiskFile(path, 6);
    const kargs = [
      "console=ttyS0",
      "mitigations=off",
      "panic=1",
      "rd.shell=0",
      "rd.emergency=reboot",
    ];
    const ran = await runInstall(lab, [
      ...["to-disk", "--via-loopback", "--filesystem", "ext4", "--bootloader", "grub"],
      ...installArgs(lab, "latest"),
      ...kargs.flatMap((it) => ["--karg", it]),
      path,
    ]);
    expect(ran.status, ran.stderr).toBe(0);
    disk = { path, startsItself: true };
    ({ machine } = await startUntilOn(lab, disk, { tag: "good", name: "install" }));
  }, 1_800_000);

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  async function update(tag: string, breakage: Breakage): Promise<string> {
    await release(lab, tag, breakage.image);
    const { stdout } = await attempt("skopeo", [
      ...["inspect", "--tls-verify=false", "--format={{.Digest}}"],
      `docker://${lab.registry.hostName}/os:${tag}`,
    ]);
    await machine.must("bootc upgrade --quiet");
    await machine.reboot();
    return stdout.trim();
  }

  test.each(BREAKAGES)(
    "$about: back on the old system",
    { timeout: 5_400_000 },
    async (breakage) => {
      const tag = breakage.name;
      const digest = await update(tag, breakage);
      const back = await startUntilOn(lab, disk, { tag: "good", name: tag });
      machine = back.machine;
      process.stderr.write(`${tag}: ${back.starts} starts, ${Math.round(back.ms / 1000)} s\n`);
      const { health, held } = await readBack(machine);
      expect(health).toMatchObject({ outcome: "went-back", digest, version: tag });
      expect(health?.reason).toMatch(breakage.reason);
      expect(held).toContain(digest);
      expect(await machine.must("bootc updates run")).toContain("is held because it went back");
      expect((await machine.run("bootc upgrade")).status).toBe(7);
    },
  );

  test("a new digest is taken by itself, and proves itself", { timeout: 5_400_000 }, async () => {
    await release(lab, "better", goodImage());
    // The answer may be lost with the connection.
    await machine.run("bootc updates run").catch(() => undefined);
    await machine.waitForEnd();
    ({ machine } = await startUntilOn(lab, disk, { tag: "better", name: "better" }));
    await restUntilSettled(machine);
    expect(await machine.must("ls /sysroot/ostree/bootc/health")).toBe("");
    expect((await readBack(machine)).health).toBeNull();
    expect(await machine.must("systemctl is-active boot-complete.target")).toBe("active");
    expect(await machine.must("grub-editenv /boot/grub/grubenv list")).toBe("");
  });

  test("if both are bad, the old system runs on and says so", { timeout: 5_400_000 }, async () => {
    await machine.must("touch /var/fail");
    const digest = await update("both", BREAKAGES[0] as Breakage);
    ({ machine } = await startUntilOn(lab, disk, { tag: "better", name: "both" }));
    const { health, held } = await readBack(machine);
    expect(health).toMatchObject({ outcome: "both-bad", digest });
    expect(held).toContain(digest);
    expect(machine.hasEnded()).toBe(false);
  });
});
