import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openDirectory } from "../system/root/file-tree.ts";
import {
  isComposefsCertain,
  isRootWritable,
  parseComposefs,
  parsePrepareRoot,
  readPrepareRoot,
} from "./prepare-root.ts";

test.each([
  ["[sysroot]\nreadonly=true\n", false],
  ["[root]\ntransient = true\n", true],
  ["[root]\ntransient=false\n", false],
  ["[composefs]\nenabled = verity\n", true],
  ["[composefs]\nenabled=no\n", false],
  ["", false],
])("prepare-root.conf %j: other toplevel directories are of use: %s", (text, want) => {
  expect(isRootWritable(parsePrepareRoot(text))).toBe(want);
});

test.each([
  ["yes", "on", true],
  ["true", "on", true],
  ["1", "on", true],
  ["maybe", "maybe", false],
  ["verity", "verity", true],
  ["signed", "signed", true],
  ["no", "off", false],
  ["false", "off", false],
  ["constructor", "off", false],
  [undefined, "off", false],
])("composefs %s is %s; the root is certainly an image of it: %s", (word, want, isCertain) => {
  expect(parseComposefs(word)).toBe(want);
  expect(isComposefsCertain(parseComposefs(word))).toBe(isCertain);
});

test("the file in /etc counts, and nothing of the other one", async () => {
  const root = await mkdtemp(join(tmpdir(), "prepare-root-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const read = () => readPrepareRoot(openDirectory(root));
  expect(await read()).toBeUndefined();
  await write("usr/lib/ostree/prepare-root.conf", "[composefs]\nenabled=yes\n");
  expect(await read()).toEqual({ composefs: "on", isTransient: false });
  await write("etc/ostree/prepare-root.conf", "[root]\ntransient=true\n");
  expect(await read()).toEqual({ composefs: "off", isTransient: true });
});
