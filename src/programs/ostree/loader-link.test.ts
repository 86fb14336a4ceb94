import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { keepLoaderLink } from "./loader-link.ts";

let root: string;
let boot: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootc-loader-"));
  boot = join(root, "boot");
  mkdirSync(boot);
});
afterEach(() => rmSync(root, { recursive: true }));

const keep = () => keepLoaderLink(scriptedContext(root, []).ctx);
const inodeOf = (name: string) => lstatSync(join(boot, name)).ino;

/** As ostree does it. */
function swap(target: string): void {
  symlinkSync(target, join(boot, "loader.tmp"));
  renameSync(join(boot, "loader.tmp"), join(boot, "loader"));
}

test("the link that ostree replaces keeps its inode, each time", async () => {
  for (const target of ["loader.0", "loader.1", "loader.0"]) {
    swap(target);
    await keep();
    await keep();
    const before = inodeOf("loader");
    swap("another");
    expect(inodeOf("loader.bootc")).toBe(before);
    expect(lstatSync(join(boot, "loader.bootc")).nlink).toBe(1);
  }
});

test("a directory in its place, and a host without either, are left alone", async () => {
  await keep();
  mkdirSync(join(boot, "loader"));
  await keep();
  expect(readdirSync(boot)).toEqual(["loader"]);
});

test("whatever keeps the second name from being made is only noted", async () => {
  swap("loader.0");
  mkdirSync(join(boot, "loader.bootc"));
  const { ctx, transcript } = scriptedContext(root, []);
  await keepLoaderLink(ctx);
  expect(transcript()).toContain("note: `/boot/loader` cannot get a second name: ");
});
