import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { listDeploymentsOnDisk, readOrigins } from "./deployments.ts";

const [ONE, TWO] = ["1".repeat(64), "2".repeat(64)] as const;

async function layOut(paths: readonly string[]): Promise<string> {
  const sysroot = await mkdtemp(join(tmpdir(), "deployments-"));
  onTestFinished(() => rm(sysroot, { recursive: true, force: true }));
  for (const path of paths) {
    const file = join(sysroot, "ostree/deploy", path);
    if (path.endsWith(".origin")) await writeFile(file, path);
    else await mkdir(file, { recursive: true });
  }
  return sysroot;
}

test("deployments of all stateroots, by their names; all else is none", async () => {
  const sysroot = await layOut([
    `b/deploy/${TWO}.10`,
    `a/deploy/${TWO}.0`,
    `a/deploy/${ONE}.1`,
    `a/deploy/${ONE}.1.origin`,
    `a/deploy/${ONE}.x`,
    `a/deploy/1.1`,
    "empty/var",
  ]);
  const found = await listDeploymentsOnDisk(sysroot);
  expect(found.map((it) => [it.stateroot, it.commit, it.serial])).toEqual([
    ["a", ONE, 1],
    ["a", TWO, 0],
    ["b", TWO, 10],
  ]);
  const dir = join(sysroot, "ostree/deploy/a/deploy", `${ONE}.1`);
  expect(found[0]).toMatchObject({ name: `${ONE}.1`, dir, originFile: `${dir}.origin` });
});

test("origins are read, with or without their deployment", async () => {
  const sysroot = await layOut([
    `a/deploy/${ONE}.0`,
    `a/deploy/${ONE}.0.origin`,
    `a/deploy/${TWO}.0.origin`,
  ]);
  expect((await readOrigins(sysroot)).map((it) => it.text)).toEqual([
    `a/deploy/${ONE}.0.origin`,
    `a/deploy/${TWO}.0.origin`,
  ]);
});

test("a root without ostree has neither", async () => {
  expect(await listDeploymentsOnDisk("/nonexistent")).toEqual([]);
  expect(await readOrigins("/nonexistent")).toEqual([]);
});
