import { expect, test } from "vitest";
import { formatInstallConfig, mergeInstallConfig } from "./install-config.ts";

const file = (path: string, text: string) => ({ path, text });

test("later files win, kernel arguments add up, one spelling of the file system mirrors the other", () => {
  const { config } = mergeInstallConfig(
    [
      file("a", '[install]\nroot-fs-type = "xfs"\nkargs = ["a"]\nstateroot = "one"'),
      file(
        "b",
        '[install.filesystem.root]\ntype = "ext4"\n[install.bootupd]\nskip-boot-uuid = true',
      ),
      file("c", '[install]\nkargs = ["b", "a"]\nkarg-deletes = ["quiet"]\nstateroot = "two"'),
    ],
    "x64",
  );
  expect(JSON.parse(formatInstallConfig(config, true))).toEqual({
    "root-fs-type": "ext4",
    filesystem: { root: { type: "ext4" } },
    block: ["direct"],
    kargs: ["a", "b", "a"],
    "karg-deletes": ["quiet"],
    "match-architectures": null,
    ostree: null,
    stateroot: "two",
    "root-mount-spec": null,
    "boot-mount-spec": null,
    bootupd: { "skip-boot-uuid": true },
    bootloader: null,
    "discoverable-partitions": null,
    "enforce-container-sigpolicy": null,
  });
  expect(formatInstallConfig(config, false)).not.toContain("kargs");
});

test("without any file, nothing has a default", () => {
  const { config } = mergeInstallConfig([], "x64");
  expect(config).toBeUndefined();
  expect(JSON.parse(formatInstallConfig(config, true))).toMatchObject({ block: null });
});

test.each([
  ["as Rust names it", "x86_64", "x64", true],
  ["as Go names it", "amd64", "x64", true],
  ["as Go names it, on arm", "arm64", "arm64", true],
  ["another one", "aarch64", "x64", false],
])("match-architectures: %s", (_about, name, arch, isUsed) => {
  const text = `[install]\nmatch-architectures = ["${name}"]\nstateroot = "x"`;
  expect(mergeInstallConfig([file("a", text)], arch).config?.stateroot === "x").toBe(isUsed);
});

test.each([
  ["another table", "[other]\nx = 1", "`f`: unknown key `other`"],
  ["an unknown key", "[install]\nkarg = []", "`f`: unknown key `install.karg`"],
  ["an underscore", '[install]\nmatch_architectures = ["x86_64"]', "match_architectures"],
  ["a wrong type", "[install]\nkargs = 1", "`install.kargs` is not a list of strings"],
  ["a wrong value", '[install]\nblock = ["zfs"]', "`install.block` is not a list of direct"],
  ["a deep unknown key", "[install.filesystem.home]\nx=1", "`install.filesystem.home`"],
  ["a wrong file system", '[install.filesystem.root]\ntype = "zfs"', "one of xfs, ext4, btrfs"],
  ["not TOML", "[install", "`f` is not valid TOML: line 1, column "],
  ["a mistake further down", "[install]\nkargs = 'a\n", "`f` is not valid TOML: line 2, column "],
])("refuses %s", (_about, text, message) => {
  expect(() => mergeInstallConfig([file("f", text)], "x64")).toThrow(message);
});

test("an unknown key below install.ostree only warns", () => {
  const { warnings, config } = mergeInstallConfig(
    [file("f", '[install.ostree]\nfuture = 1\nbls-append-except-default = "x"')],
    "x64",
  );
  expect(warnings).toEqual(['warning: "f": Unknown key install.ostree.future']);
  expect(config?.["bls-append-except-default"]).toBe("x");
});
