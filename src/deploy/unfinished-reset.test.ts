import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import { listDeployments, machineOf } from "../testing/play-verb.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { markStaging, readStagingMark } from "./staging-mark.ts";
import { dropUnfinishedReset, markReset } from "./unfinished-reset.ts";

test("what an interrupted reset has staged is in the error when it cannot be dropped", async () => {
  const root = await mkdtemp(join(tmpdir(), "bootc-reset-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const it of ["run/bootc", "run/ostree"]) await mkdir(join(root, it), { recursive: true });
  await writeFile(join(root, "run/ostree/staged-deployment"), "damaged");
  const { ctx } = scriptedContext(root, []);
  await markReset(ctx, "anew");
  await expect(dropUnfinishedReset(ctx)).rejects.toMatchObject({
    message: "dropping what an interrupted `install reset` has staged",
    cause: expect.anything(),
    hint: "a full reboot drops it as well",
  });
  expect(await readFile(join(root, "run/bootc/resetting"), "utf8")).toBe("anew\n");
});

test.each([true, false])(
  "no image is left to announce once it is dropped (staged: %s)",
  async (isStaged) => {
    const { root, booted } = await machineOf("2025.2");
    const file = join(root, "run/ostree/staged-deployment");
    const name = /[0-9a-f]{64}\.0/.exec(await readFile(file, "latin1"))?.[0] ?? "";
    if (!isStaged) await rm(file);
    const list = `  default ${name} (staged)\n* default ${booted}\n`;
    const { ctx, requireAllUsed } = scriptedContext(
      root,
      isStaged
        ? [
            ["? ostree admin status", list],
            ["+ ostree admin undeploy 0", () => rm(file)],
            ["? ostree admin status", `* default ${booted}\n`],
          ]
        : [],
    );
    await mkdir(join(root, "run/bootc"));
    await markReset(ctx, "default");
    await markStaging(ctx, { digest: "sha256:x", abandonedRefspec: undefined });
    await dropUnfinishedReset(ctx);
    requireAllUsed();
    expect(await readStagingMark(ctx)).toBeUndefined();
  },
);

test("a list that has changed otherwise is told as it is", async () => {
  const it = await machineOf("2025.2");
  const [staged = "", booted = "", other = ""] = await listDeployments(it);
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const { ctx } = scriptedContext(it.root, [
    ["? ostree admin status", staged + booted + other],
    ["+ ostree admin undeploy 0"], // and deletes another
    ["? ostree admin status", staged + booted],
  ]);
  await mkdir(join(it.root, "run/bootc"));
  await markReset(ctx, "default");
  await expect(dropUnfinishedReset(ctx)).rejects.toMatchObject({ kind: "integrity" });
  // What is staged still boots next.
  expect(await readFile(join(it.root, "run/reboot-required"), "utf8")).toContain("bootc: ");
});

test("who does not know whether it is dropped is told what drops it", async () => {
  const it = await machineOf("2025.2");
  const { ctx } = scriptedContext(it.root, [
    ["? ostree admin status", (await listDeployments(it)).join("")],
    ["+ ostree admin undeploy 0", new BootcError("i/o error", { hint: "see `dmesg`" })],
    ["? ostree admin status", new BootcError("i/o error")],
  ]);
  await mkdir(join(it.root, "run/bootc"));
  await markReset(ctx, "default");
  const error = await dropUnfinishedReset(ctx).catch(describeError);
  expect(error).toMatchObject({
    causes: [expect.stringMatching(/^it is unknown whether `.+` is deleted$/), "i/o error"],
    hint: "`ostree admin status` shows it; a full reboot drops it as well",
  });
});
