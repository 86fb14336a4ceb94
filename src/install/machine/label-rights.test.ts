import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import { createContext } from "../../system/run.ts";
import { requireLabelRights, withLabelRights } from "./label-rights.ts";

interface Machine {
  /** The content of its switch file; undefined without SELinux. */
  readonly enforce: string | undefined;
  readonly mayLabel: boolean;
  readonly hasFallback?: boolean;
}

/** A machine whose chcon succeeds or fails according to its policy. */
async function machineOf({ enforce, mayLabel, hasFallback }: Machine) {
  const root = await mkdtemp(join(tmpdir(), "labels-"));
  const switchFile = join(root, "proc/1/root/sys/fs/selinux/enforce");
  await mkdir(join(switchFile, ".."), { recursive: true });
  if (enforce !== undefined) await writeFile(switchFile, enforce);
  await writeFile(join(root, "chcon"), `#!/bin/sh\nexit ${mayLabel ? 0 : 1}\n`, { mode: 0o755 });
  const env = { PATH: root, ...(hasFallback ? { BOOTC_SETENFORCE0_FALLBACK: "1" } : {}) };
  return { ctx: createContext({ root, env }), read: () => readFile(switchFile, "utf8") };
}

test.each<[string, Machine, boolean]>([
  ["without SELinux", { enforce: undefined, mayLabel: false }, true],
  ["that is permissive", { enforce: "0", mayLabel: false }, true],
  ["that lets us set any label", { enforce: "1", mayLabel: true }, true],
  ["that does not", { enforce: "1", mayLabel: false }, false],
  ["that may be told to", { enforce: "1", mayLabel: false, hasFallback: true }, true],
])("a machine %s", async (_about, machine, isFine) => {
  const { ctx } = await machineOf(machine);
  if (isFine) await expect(requireLabelRights(ctx)).resolves.toBeUndefined();
  else await expect(requireLabelRights(ctx)).rejects.toMatchObject({ kind: "unsupported" });
});

test.each<[string, Machine, string]>([
  ["off with the fallback", { enforce: "1", mayLabel: false, hasFallback: true }, "0"],
  ["on without it", { enforce: "1", mayLabel: false }, "1"],
  ["on where it causes no failure", { enforce: "1", mayLabel: true, hasFallback: true }, "1"],
])("enforcement during the work is %s, and on after it", async (_about, machine, want) => {
  const { ctx, read } = await machineOf(machine);
  expect(await withLabelRights(ctx, read)).toBe(want);
  expect(await read()).toBe("1");
});

test("enforcement is on again after work that failed", async () => {
  const { ctx, read } = await machineOf({ enforce: "1", mayLabel: false, hasFallback: true });
  const failing = withLabelRights(ctx, async () => {
    throw new BootcError(`enforce was ${await read()}`);
  });
  await expect(failing).rejects.toThrow("enforce was 0");
  expect(await read()).toBe("1");
});
