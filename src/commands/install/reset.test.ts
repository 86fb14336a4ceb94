import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { deployment } from "../../testing/deployment.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { chooseStateroot, hasFiles, nextStateroot, resetInstall } from "./reset.ts";

test("without --experimental nothing happens", async () => {
  const { ctx } = scriptedContext("/nonexistent", []);
  await expect(resetInstall(ctx, { rootKargs: true })).rejects.toMatchObject({
    message: "This command requires --experimental",
    kind: "usage",
  });
});

test("a source is not ignored", async () => {
  const { ctx } = scriptedContext("/nonexistent", []);
  const options = { experimental: true, rootKargs: true, sourceImgref: "docker://a" };
  await expect(resetInstall(ctx, options)).rejects.toMatchObject({
    message: "`install reset` takes no `--source-imgref`",
    kind: "usage",
    hint: expect.stringContaining("--target-imgref"),
  });
});

test("a storage for an image that is not pulled is not ignored", async () => {
  const { ctx } = scriptedContext("/nonexistent", []);
  const options = { experimental: true, rootKargs: true, experimentalUnifiedStorage: true };
  await expect(resetInstall(ctx, options)).rejects.toMatchObject({
    message: "`--experimental-unified-storage` needs `--target-imgref`",
    kind: "usage",
    hint: expect.stringContaining("nothing is pulled"),
  });
});

const now = new Date("2026-11-28T23:00:00Z");

test.each([
  ["none yet", ["default"], undefined, "state-2026-0"],
  [
    "gaps are not filled",
    ["state-2026-0", "state-2026-10", "state-2026-2"],
    "state-2026-10",
    "state-2026-11",
  ],
  ["those of other years do not count", ["state-2025-7"], undefined, "state-2026-0"],
  [
    "names of the user's do not count",
    ["state-2026-x", "my-state-2026-3"],
    undefined,
    "state-2026-0",
  ],
])("the next stateroot: %s", (_about, names, last, next) => {
  expect(nextStateroot(names, now)).toEqual({ last, next });
});

test("directories and links are not what a system leaves in its /var, files are", async () => {
  const dir = await mkdtemp(join(tmpdir(), "bootc-var-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  await mkdir(join(dir, "lib/x"), { recursive: true });
  await symlink("../run", join(dir, "run"));
  expect(await hasFiles(join(dir, "nothing"))).toBe(false);
  expect(await hasFiles(dir)).toBe(false);
  await writeFile(join(dir, "lib/x/file"), "");
  expect(await hasFiles(dir)).toBe(true);
});

describe("the stateroot of this year's last reset", () => {
  const last = `state-${new Date().getUTCFullYear()}-0`;
  const next = last.replace(/0$/, "1");

  /** Chooses one on a host with that stateroot, and with these files in it. */
  async function choose(...files: readonly string[]) {
    const root = await mkdtemp(join(tmpdir(), "bootc-reset-"));
    onTestFinished(() => rm(root, { recursive: true }));
    await mkdir(join(root, "sysroot/ostree/deploy", last), { recursive: true });
    for (const it of files) {
      const path = join(root, "sysroot/ostree/deploy", last, it);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, "");
    }
    const { ctx, transcript } = scriptedContext(root, []);
    const booted = deployment("b", { isBooted: true });
    const choice = { booted, deployments: [booted], wanted: undefined };
    return { stateroot: await chooseStateroot(ctx, choice), said: transcript() };
  }

  test("is used again if nothing ever ran there", async () => {
    expect(await choose()).toEqual({ stateroot: last, said: "\n\n" });
  });

  test("is left, with what to do about it, if there are files in its /var", async () => {
    const { stateroot, said } = await choose("var/file");
    expect(stateroot).toBe(next);
    expect(said).toContain(`! note: the stateroot \`${last}\` has no deployment, `);
  });

  test("is left alone if a deployment is there whose boot entry cannot be read", async () => {
    const usr = `deploy/${"a".repeat(64)}.0/usr`;
    expect(await choose("var/file", usr)).toEqual({ stateroot: next, said: "\n\n" });
  });
});
