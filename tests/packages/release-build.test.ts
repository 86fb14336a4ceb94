// `xtask release --build`, for real: every file, its digest, and that the executable runs.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { ReleaseManifest } from "../../xtask/release/manifest.ts";

const TOP = resolve(import.meta.dirname, "../..");
const FOLDER = join(TOP, "target/release");
const run = (program: string, args: readonly string[], cwd = TOP) =>
  execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

const isDirty = run("git", ["status", "--porcelain"]) !== "";

describe.skipIf(isDirty)(`a release${isDirty ? " (there are uncommitted changes)" : ""}`, () => {
  test("every file is there, is what the checksums say, and the executable runs", () => {
    const folder = run(process.execPath, ["xtask/entry.ts", "release", "--build"]).trim();
    expect(folder).toBe("target/release");
    expect(run("sha256sum", ["--check", "--strict", "--quiet", "SHA256SUMS"], FOLDER)).toBe("");

    const manifest = JSON.parse(
      readFileSync(join(FOLDER, "manifest.json"), "utf8"),
    ) as ReleaseManifest;
    expect(manifest.commit).toBe(run("git", ["rev-parse", "HEAD"]).trim());
    const names = manifest.files.map((it) => it.name);
    expect(readdirSync(FOLDER).toSorted()).toEqual(
      [...names, "SHA256SUMS", "manifest.json"].toSorted(),
    );
    expect(
      names.map((it) => it.replace(/^bootc-\d+\.\d+\.\d+(-rc\.\d+)?(-\d+-g[0-9a-f]+)?/, "V")),
    ).toEqual([
      "V.tar.zst",
      "V-vendor.tar.zst",
      expect.stringMatching(/^node-\d+\.\d+\.\d+-linux\.tar\.zst$/),
      "V.src.rpm",
      "V-linux-x86_64.zst",
      "V-linux-aarch64.zst",
      "V.cdx.json",
      "V.spdx.json",
    ]);

    const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
    const executable = names.find((it) => it.endsWith(`-linux-${machine}.zst`)) ?? "";
    const scratch = mkdtempSync(join(tmpdir(), "release-"));
    try {
      const path = join(scratch, "bootc");
      writeFileSync(path, zstdDecompressSync(readFileSync(join(FOLDER, executable))), {
        mode: 0o755,
      });
      expect(run(path, ["--version"])).toMatch(/\d+\.\d+\.\d+/);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});
