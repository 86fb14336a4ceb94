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
import {
  ensureGood,
  expectBack,
  expectProved,
  installGrub,
  readBack,
  requireInstalled,
  startUntilOn,
  type TriedMachine,
  UNATTENDED,
  update,
} from "./health-machine.ts";
import { type Lab, missingForLab, nextConsole, openLab, retag } from "./lab.ts";

const missing = await missingForLab();
const why = missing === undefined ? "" : ` (${missing})`;
const chosen = chosenBreakages(process.env.BOOTC_VM_HEALTH);

/** What was seen, a line for each image that a machine came back from. */
const JOURNAL = join(import.meta.dirname, "../../target/tests/vm-health.jsonl");

describe.skipIf(missing !== undefined)(`broken images${why}`, () => {
  let lab: Lab | undefined;
  let tried: TriedMachine | undefined;
  const needTried = () => requireInstalled(tried);

  beforeAll(async () => {
    lab = await openLab("health", { slot: 4 });
    await prepareImage(lab, "good", goodImage());
    for (const { name, image } of chosen) await prepareImage(lab, name, image);
    await retag(lab, "good", "latest");
    const path = join(lab.dir, "health.raw");
    const disk = await installGrub(lab, path, UNATTENDED);
    const workDir = lab.dir;
    const describeBoot = (name: string) => ({ workDir, name: nextConsole(name), disk });
    const start = { lab, describe: describeBoot, disk: path, consoles: [] };
    const { machine } = await startUntilOn(start, { tag: "good", name: "install" });
    tried = { ...start, current: machine };
  }, 3_600_000);

  afterAll(async () => {
    await tried?.current.cut();
    await lab?.close();
  });

  test.each(chosen)("$about: back on the old system", { timeout: 5_400_000 }, async (breakage) => {
    const seen = await expectBack(needTried(), breakage, "grub-once");
    const line = { date: new Date().toISOString(), name: breakage.name, ...seen };
    await appendLine(JOURNAL, line);
  });

  test("a new digest is taken by itself, and proves itself", { timeout: 5_400_000 }, async () => {
    const host = needTried();
    await ensureGood(host);
    await offerImage(host.lab, "better", goodImage());
    // The answer may be lost with the connection.
    await host.current.run("bootc updates run").catch(() => undefined);
    await host.current.waitForEnd();
    host.current = (await startUntilOn(host, { tag: "better", name: "better" })).machine;
    await expectProved(host.current);
    expect(await host.current.must("grub-editenv /boot/grub/grubenv list")).toBe("");
  });

  test("if both are bad, the old system runs on and says so", { timeout: 5_400_000 }, async () => {
    const host = needTried();
    await host.current.must("touch /var/fail");
    const digest = await update(host, "both", (BREAKAGES[0] as Breakage).image);
    host.current = (await startUntilOn(host, { tag: "better", name: "both" })).machine;
    const { health, held } = await readBack(host.current);
    expect(health).toMatchObject({ outcome: "both-bad", digest });
    expect(held).toContain(digest);
    expect(host.current.hasEnded()).toBe(false);
  });
});
