// The packed runtimes: the archive's content and origin, and that it is reproducible.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { RuntimeManifest } from "../../xtask/runtime/pack.ts";

const TOP = resolve(import.meta.dirname, "../..");

function runtime(step: string) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(TOP, "xtask/entry.ts"), "runtime", step],
    { encoding: "utf8", cwd: "/" },
  );
  expect(stderr).not.toContain("error:");
  expect(status).toBe(0);
  return stdout.trimEnd();
}

function tar(args: readonly string[]): Buffer {
  const { status, stdout } = spawnSync("tar", args, { maxBuffer: 1 << 28 });
  expect(status).toBe(0);
  return stdout;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

let archive = "";

beforeAll(() => {
  archive = join(TOP, runtime("pack"));
});

test("one folder holds an executable and its licence for each architecture, and the record", () => {
  const folder = `node-${process.versions.node}-linux`;
  const lines = tar(["--list", "--verbose", "--numeric-owner", "--file", archive]).toString();
  const entries = lines
    .trimEnd()
    .split("\n")
    .map((it) => it.split(/\s+/));
  expect(entries.map(([mode, owner, , , , path]) => `${mode} ${owner} ${path}`)).toEqual([
    `drwxr-xr-x 0/0 ${folder}/`,
    `drwxr-xr-x 0/0 ${folder}/arm64/`,
    `-rw-r--r-- 0/0 ${folder}/arm64/LICENSE`,
    `drwxr-xr-x 0/0 ${folder}/arm64/bin/`,
    `-rwxr-xr-x 0/0 ${folder}/arm64/bin/node`,
    `-rw-r--r-- 0/0 ${folder}/runtime.json`,
    `drwxr-xr-x 0/0 ${folder}/x64/`,
    `-rw-r--r-- 0/0 ${folder}/x64/LICENSE`,
    `drwxr-xr-x 0/0 ${folder}/x64/bin/`,
    `-rwxr-xr-x 0/0 ${folder}/x64/bin/node`,
  ]);
});

test("the record leads from the lockfile to the packed executable", () => {
  const folder = `node-${process.versions.node}-linux`;
  const extract = (path: string) => tar(["--extract", "--to-stdout", "--file", archive, path]);
  const text = extract(`${folder}/runtime.json`).toString();
  const { version, runtimes } = JSON.parse(text) as RuntimeManifest;
  expect(version).toBe(process.versions.node);
  const lock = JSON.parse(readFileSync(join(TOP, "package-lock.json"), "utf8")) as {
    packages: Record<string, { integrity: string }>;
  };
  for (const name of ["x64", "arm64"] as const) {
    const { integrity } = lock.packages[`node_modules/node-linux-${name}`] ?? {};
    expect(runtimes[name].integrity).toBe(integrity);
    expect(runtimes[name].strippedSha256).toBe(sha256(extract(`${folder}/${name}/bin/node`)));
  }
  const here = runtimes[process.arch === "arm64" ? "arm64" : "x64"];
  expect(here.originalSha256).toBe(sha256(readFileSync(process.execPath)));
});

test("made again, it is the same; derived again from the packages, it is equal", () => {
  const before = sha256(readFileSync(archive));
  rmSync(archive);
  expect(join(TOP, runtime("verify"))).toBe(archive);
  expect(sha256(readFileSync(archive))).toBe(before);
});
