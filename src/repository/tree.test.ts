import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type TreeContent, writeCommit } from "../testing/committed-tree.ts";
import { type CommittedTree, openCommit, type TreeOptions } from "./tree.ts";

async function open(
  paths: Readonly<Record<string, TreeContent>>,
  options?: TreeOptions,
): Promise<CommittedTree> {
  const repo = await mkdtemp(join(tmpdir(), "tree-"));
  onTestFinished(() => rm(repo, { recursive: true, force: true }));
  return await openCommit(repo, await writeCommit(repo, paths), options);
}

test("texts of both kinds of repositories, through links that stay in the tree", async () => {
  const tree = await open({
    "usr/lib/plain": "plain",
    "usr/lib/archived": { archived: "archived" },
    "usr/lib/relative": { link: "plain" },
    "usr/lib/absolute": { link: "/lib/archived" },
    lib: { link: "usr/lib" },
    "usr/lib/outside": { link: "../../../../usr/lib/plain" },
    "usr/lib/dangling": { link: "none" },
  });
  expect(await tree.readText("usr/lib/plain")).toBe("plain");
  expect(await tree.readText("lib/archived")).toBe("archived");
  expect(await tree.readText("lib/relative")).toBe("plain");
  expect(await tree.readText("usr/lib/absolute")).toBe("archived");
  expect(await tree.readText("usr/lib/outside")).toBe("plain");
  for (const path of ["usr/lib/dangling", "usr/lib", "none"]) {
    expect(await tree.readTextIfAny(path)).toBeUndefined();
    await expect(tree.readText(path)).rejects.toThrow(`\`/${path}\`: there is no such file`);
  }
});

test("names are sorted, of a directory alone; links are told from all else", async () => {
  const tree = await open({ "a/z": "", "a/b/c": "", "a/link": { link: "/x y" }, l: { link: "a" } });
  expect(await tree.readNames("l")).toEqual(["b", "link", "z"]);
  expect(await tree.readNames("a/z")).toEqual([]);
  expect(await tree.readNames("none")).toEqual([]);
  expect(await tree.readLink("a/link")).toBe("/x y");
  expect(await tree.readLink("a/z")).toBeUndefined();
  expect(await tree.readLink("a/b")).toBeUndefined();
  expect((await tree.find("a/b"))?.kind).toBe("directory");
  expect((await tree.find("l"))?.kind).toBe("file");
  expect(await tree.find("l/z")).toBeUndefined();
});

test("/etc is found in usr/etc, unless the commit has one or what is stored is asked for", async () => {
  const usr = { "usr/etc/x": "usr" };
  expect(await (await open(usr)).readTextIfAny("etc/x")).toBe("usr");
  expect(await (await open(usr, { etc: "as stored" })).readTextIfAny("etc/x")).toBeUndefined();
  expect(await (await open({ ...usr, "etc/x": "own" })).readTextIfAny("etc/x")).toBe("own");
});
