import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeImageRoot, type Placement } from "../../testing/image-root.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import type { Entry } from "../tree.ts";
import { type OpenLayer, readLayers } from "./layers.ts";
import { readPackages } from "./packages.ts";
import { walkTree } from "./walk.ts";

const NONE = { mountPoints: new Set<string>() };

function show({ path, kind, mode, target }: Entry): string {
  return `${path} ${kind} ${mode.toString(8)}${target === undefined ? "" : ` -> ${target}`}`;
}

test("a tree is found in order, and what is asked for is found inside it", async () => {
  const root = await makeImageRoot({
    "usr/lib/a/b": "text",
    "usr/lib/a.b": "",
    "usr/lib/a": { dir: 0o700 },
    "usr/lib/a/c/d": "deep",
    link: { link: "/usr/lib/a" },
    "usr/up": { link: "../../../../usr/lib" },
  });
  const tree = walkTree(root, NONE);
  expect(tree.below("usr/lib/a").map(show)).toEqual([
    "usr/lib/a/b file 644",
    "usr/lib/a/c directory 755",
    "usr/lib/a/c/d file 644",
  ]);
  expect(tree.names("/link/")).toEqual(["b", "c"]);
  expect(tree.names("usr/up/a/c")).toEqual(["d"]);
  expect(tree.names("usr/lib/a/b")).toEqual([]);
  expect(tree.readText("usr/up/a/../a/b")).toBe("text");
  expect(tree.readText("link")).toBeUndefined();
  expect(tree.at("link")?.target).toBe("/usr/lib/a");
  expect(tree.follow("link")?.path).toBe("usr/lib/a");
  expect(tree.at("usr/up/a.b")?.path).toBe("usr/lib/a.b");
  expect(tree.at("no/such")).toBeUndefined();
  expect(tree.below("..")).toHaveLength(tree.entries.length);
});

test("the working directory is the same afterwards, also when a directory cannot be entered", async () => {
  const root = await makeImageRoot({ "usr/lib/a/b": "text" });
  const before = process.cwd();
  expect(walkTree(root, NONE).at("usr/lib/a/b")?.kind).toBe("file");
  expect(process.cwd()).toBe(before);
  expect(() => walkTree("/proc/self/mem", NONE)).toThrow("cannot be read");
  expect(process.cwd()).toBe(before);
});

/** Options by which `act` is called while a walk looks at `path`. */
function onTheWay(path: string, act: () => void) {
  const has = (it: string) => {
    if (it === path) act();
    return false;
  };
  return { mountPoints: Object.assign(new Set(["/nowhere"]), { has }) };
}

test("a working directory that cannot be entered again does not end a walk", async () => {
  const [root, own] = [await makeImageRoot({ "usr/a": "x" }), await makeImageRoot({})];
  const before = process.cwd();
  onTestFinished(() => process.chdir(before));
  process.chdir(own);
  const options = onTheWay(join(root, "usr"), () => rmSync(own, { recursive: true }));
  expect(walkTree(root, options).at("usr/a")?.kind).toBe("file");
  expect(process.cwd()).toBe("/");
});

test("a directory that is gone on the way back up is named", async () => {
  const root = await makeImageRoot({ "opt/lib/a": "x" });
  const before = process.cwd();
  const opt = join(root, "opt");
  const options = onTheWay(join(opt, "lib/a"), () => renameSync(opt, join(root, "other")));
  expect(() => walkTree(root, options)).toThrow(`the directory \`${opt}\` cannot be read`);
  expect(process.cwd()).toBe(before);
});

test("what is mounted is not a part of the tree", async () => {
  const root = await makeImageRoot({ "etc/hosts": "x", "run/x": "x", "run/mounted/x": "x" });
  const mountPoints = new Set([join(root, "etc/hosts"), join(root, "run/mounted")]);
  const tree = walkTree(root, { mountPoints });
  expect(tree.at("etc/hosts")).toBeUndefined();
  expect(tree.below("run").map((it) => it.path)).toEqual(["run/x"]);
  expect(tree.names("run")).toEqual(["x"]);
  expect(tree.mountPoints.map((it) => it.path)).toEqual(["run/mounted"]);
  expect(tree.entries.some((it) => it.path.startsWith("run/mounted"))).toBe(false);
  // A check may ask whether the directory is there.
  expect(tree.at("run/mounted")?.kind).toBe("directory");
});

async function layersOf(...changes: readonly Placement[]) {
  const layers: OpenLayer[] = [];
  for (const [i, it] of changes.entries()) {
    const root = await makeImageRoot();
    await rm(root, { recursive: true });
    mkdirSync(root);
    for (const [path, placed] of Object.entries(it)) {
      mkdirSync(join(root, path, ".."), { recursive: true });
      if (typeof placed === "string") writeFileSync(join(root, path), placed);
      else if (placed !== null && "link" in placed) symlinkSync(placed.link, join(root, path));
    }
    const tar = execFileSync("tar", ["--create", "--sort=name", `--directory=${root}`, "."]);
    layers.push({
      digest: `sha256:${i}`,
      sizeBytes: 100,
      tar: (async function* () {
        yield tar;
      })(),
    });
  }
  return await readLayers(
    (async function* () {
      yield* layers;
    })(),
  );
}

test("layers make the tree that a host would have", async () => {
  const { tree, layers, rewrites } = await layersOf(
    {
      "usr/a": "1",
      "usr/b": "22",
      "usr/c/d": "",
      "usr/o/x": "",
      "usr/etc/passwd": "root:x:0:0::/:\n",
    },
    {
      "usr/.wh.a": "",
      "usr/b": "333",
      "usr/c": { link: "b" },
      "usr/o/.wh..wh..opq": "",
      "usr/o/y": "",
    },
  );
  expect(tree.entries.map((it) => it.path)).toEqual(
    "etc etc/passwd usr usr/b usr/c usr/o usr/o/y".split(" "),
  );
  expect(tree.readText("etc/passwd")).toBe("root:x:0:0::/:\n");
  expect(tree.at("usr/c")?.target).toBe("b");
  expect(rewrites).toEqual([{ path: "usr/b", sizeBytes: 2, layer: 1 }]);
  expect(layers).toEqual([
    { digest: "sha256:0", sizeBytes: 100, files: 5, contentBytes: 18 },
    { digest: "sha256:1", sizeBytes: 100, files: 2, contentBytes: 3 },
  ]);
});

test("the database of dpkg: files, configuration files, what is registered with ucf", async () => {
  const root = await makeImageRoot({
    "var/lib/dpkg": { link: "../../usr/lib/sysimage/dpkg" },
    "usr/lib/sysimage/dpkg/info/a.list": "/.\n/etc\n/etc/a.conf\n/usr/bin/a\n",
    "usr/lib/sysimage/dpkg/info/b.conffiles": "/etc/b.conf\n",
    "var/lib/ucf/hashfile": "0123  /etc/c.conf\n",
  });
  const { ctx } = scriptedContext(root, []);
  expect(await readPackages(ctx, root, walkTree(root, NONE))).toEqual({
    value: { etcPaths: new Set(["/etc/a.conf", "/etc/b.conf", "/etc/c.conf"]) },
  });
});

test("the database of pacman", async () => {
  const root = await makeImageRoot({
    "var/lib/pacman/local/a-1/files":
      "%FILES%\netc/\netc/a.conf\nusr/\n\n%BACKUP%\netc/b.conf\t0123\n",
  });
  const { ctx } = scriptedContext(root, []);
  const known = await readPackages(ctx, root, walkTree(root, NONE));
  expect("value" in known && [...known.value.etcPaths]).toEqual([
    "/etc/",
    "/etc/a.conf",
    "/etc/b.conf",
  ]);
});

test("no database, and one of rpm without the program", async () => {
  const root = await makeImageRoot();
  const { ctx } = scriptedContext(root, [], { env: { PATH: "/nonexistent" } });
  const read = async () => await readPackages(ctx, root, walkTree(root, NONE));
  expect(await read()).toEqual({ missing: "no package database was found" });
  mkdirSync(join(root, "usr/share/rpm"), { recursive: true });
  writeFileSync(join(root, "usr/share/rpm/rpmdb.sqlite"), "");
  expect(await read()).toEqual({ missing: "the program rpm is needed to read /usr/share/rpm" });
});
