import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFileLabels } from "../../src/native/selabel.ts";
import { createLabelSource } from "../../src/pull/labels/lookups.ts";
import { divideContexts } from "../../src/pull/labels/parts.ts";
import { findPolicy } from "../../src/system/selinux-policy.ts";
import { parseLabels } from "../../src/testing/ostree-labels.ts";
import { craftedPolicy, wholeSelinuxPolicy } from "./images/selinux-policy.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { createTestRepo } from "./test-repo.ts";

/** Each is tried as a file, a directory and a link, unless something lies below it. */
const SAMPLES = `
etc/shadow etc/shadow- etc/passwd etc/x.conf usr/bin/exact usr/bin/local usr/sbin/x usr/lib usr/lib/a.so
usr/lib/x/a.so usr/lib/x/a.so.1.2 usr/lib/x/so usr/lib/modules/6.1 usr/lib/modules/6.1/vmlinuz usr/lib64/x/a.so
usr/tmp usr/tmp/x usr/tmp/kept usr/share/a.cfg usr/etc/shadow usr/etc/x/y run/x run/named/pid var/run/named
bin/sh bin/exact opt/vendor/x/b.so opt/vendor/modules/1 opt/other srv/home/me srv/home/me/.ssh/key
home/me home/you/x home/me/.ssh/own home/me/.ssh/other mnt mnt/x proc proc/1 elsewhere nowhere/at/all
usr/share/\u00fcber usr/share/with space usr/lib/x/.so usr/lib/modules
`
  .trim()
  .split(/\s+(?!space)/);

interface TestPolicy {
  readonly name: string;
  /** Writes `etc/selinux` below `root`. */
  readonly write: (root: string) => void;
  readonly samples: () => readonly string[];
}

const POLICIES: readonly TestPolicy[] = [
  { name: "a crafted policy", write: writeCrafted, samples: () => SAMPLES },
  {
    name: "the policy of Debian",
    write: (root) => cpSync(wholeSelinuxPolicy(), root, { recursive: true }),
    samples: () => samplesOf(wholeSelinuxPolicy()),
  },
];

function writeCrafted(root: string): void {
  mkdirSync(join(root, "etc/selinux/test/policy"), { recursive: true });
  mkdirSync(join(root, "etc/selinux/test/contexts/files"), { recursive: true });
  for (const [path, text] of Object.entries(craftedPolicy())) {
    writeFileSync(join(root, "etc/selinux", path), text);
  }
}

/** A path that each rule is likely to match, and for some of them one below it. */
function samplesOf(root: string): readonly string[] {
  const folder = join(root, "etc/selinux/default/contexts/files");
  const rules = ["file_contexts", "file_contexts.homedirs", "file_contexts.subs_dist"].flatMap(
    (it) => execFileSync("cat", [join(folder, it)], { encoding: "utf8" }).split("\n"),
  );
  const samples = rules.flatMap((rule, i) => {
    const path = sampleOf(rule.split(/\s/)[0] ?? "");
    if (path === undefined) return [];
    return i % 5 === 0 ? [path, `${path}/below`] : [path];
  });
  return [...new Set(samples)];
}

function sampleOf(expression: string): string | undefined {
  let text = expression.replace(/\\(.)/g, (_, it: string) => (it === "." ? "\u0001" : it));
  for (let before = ""; before !== text; ) {
    before = text;
    text = text
      .replace(/\[\^\/\][*+]?/g, "one")
      .replace(/\[\^?([^\]])[^\]]*\](?:[*+?]|\{\d+(?:,\d*)?\})?/g, "$1")
      .replace(/\(([^()|]*)(?:\|[^()]*)?\)[*+?]?/g, "$1")
      .replace(/\.[*+]\??/g, "any");
  }
  const path = text
    .replaceAll(".", "a")
    .replaceAll("\u0001", ".")
    .replace(/[?*+^$]/g, "")
    .slice(1);
  const isUsable = path.split("/").every((it) => /^[\w@:.~ -]+$/.test(it) && !/^\.*$/.test(it));
  return isUsable ? path : undefined;
}

/** Of many samples, only so many become directories and links: a lookup takes tenths of a millisecond. */
const OTHER_KINDS_MAX = 500;

/** The samples as files, as directories and as links, in three trees below `top`. */
function makeTrees(top: string, samples: readonly string[]): readonly string[] {
  const parents = new Set(samples.flatMap((it) => ancestorsOf(it)));
  return (["file", "directory", "link"] as const).map((kind) => {
    const tree = join(top, kind);
    mkdirSync(tree);
    const every = kind === "file" ? 1 : Math.ceil(samples.length / OTHER_KINDS_MAX);
    for (const sample of samples.filter((_, i) => i % every === 0)) {
      const path = join(tree, sample);
      mkdirSync(dirname(path), { recursive: true });
      if (parents.has(sample) || kind === "directory") mkdirSync(path, { recursive: true });
      else if (kind === "file") writeFileSync(path, "");
      else symlinkSync("x", path);
    }
    return tree;
  });
}

function ancestorsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [parent, ...ancestorsOf(parent)];
}

function* walk(path: string): Generator<string> {
  yield path;
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) yield* walk(join(path, name));
}

/** Compiles the files that `semodule` compiles. Text and compiled form get the same age, as in a checkout. */
function compile(policy: string): void {
  const files = join(policy, "contexts/files");
  for (const name of ["file_contexts", "file_contexts.homedirs", "file_contexts.local"]) {
    if (readdirSync(files).includes(name)) {
      execFileSync("sefcontext_compile", [join(files, name)]);
    }
  }
  for (const name of readdirSync(files)) utimesSync(join(files, name), 0, 0);
}

const work = mkdtempSync(join(tmpdir(), "selabel-"));
afterAll(() => rmSync(work, { recursive: true }));
const hasCompiler = spawnSync("sefcontext_compile", []).error === undefined;

describe.each(POLICIES)("$name", ({ write, samples }) => {
  let top = "";
  let trees: readonly string[] = [];
  beforeAll(() => {
    top = mkdtempSync(join(work, "trees-"));
    trees = makeTrees(top, samples());
  });

  describe.each([
    { form: "as text", isCompiled: false },
    { form: "compiled", isCompiled: true },
  ])("$form", ({ isCompiled }) => {
    test.for(ostreeVersions())("labels as ostree $version does", async (ostree, { skip }) => {
      if (isCompiled && !hasCompiler) skip("no sefcontext_compile (selinux-utils)");
      const root = mkdtempSync(join(work, "root-"));
      write(root);
      const policy = (await findPolicy(root)) ?? "";
      if (isCompiled) compile(policy);
      const labels = openFileLabels(policy);
      if (labels === undefined) throw new Error("libselinux cannot be called");
      const it = createTestRepo(ostree);
      for (const tree of trees) {
        const words = ["--orphan", "--no-bindings", `--selinux-policy=${root}`];
        const commit = it.ostree("commit", ...words, `--tree=dir=${tree}`);
        const stock = parseLabels(it.ostree("ls", "-R", "-X", commit));
        const ours = new Map<string, string>();
        for (const path of walk(tree)) {
          const place = relative(tree, path);
          const label = labels.lookUp(`/${place}`, lstatSync(path).mode);
          if (label !== undefined) ours.set(place, label);
        }
        expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(stock));
        expect(new Set(ours.values()).size).toBeGreaterThan(5);
      }
      labels.close();
      it.remove();
    });

    test("parts of the policy give the labels of the whole", async ({ skip }) => {
      if (isCompiled && !hasCompiler) skip("no sefcontext_compile (selinux-utils)");
      const root = mkdtempSync(join(work, "root-"));
      write(root);
      const policy = (await findPolicy(root)) ?? "";
      if (isCompiled) compile(policy);
      const whole = openFileLabels(policy);
      const parts = await openParts(join(policy, "contexts/files"), root);
      const labels = new Set<string | undefined>();
      for (const path of trees.flatMap((tree) => [...walk(tree)].map((it) => relative(tree, it)))) {
        for (const type of [0o040755, 0o100644, 0o120777]) {
          const label = whole?.lookUp(`/${path}`, type);
          expect([path, type, parts(`/${path}`, type)]).toEqual([path, type, label]);
          labels.add(label);
        }
      }
      expect(labels.size).toBeGreaterThan(5);
      whole?.close();
    });
  });
});

/** Labels as a pull looks them up. */
async function openParts(folder: string, repo: string) {
  const files = new Map<string, Uint8Array>();
  // Compiled forms first, as in the policy of an image.
  for (const name of readdirSync(folder).sort().reverse()) {
    if (name.startsWith("file_contexts")) files.set(name, readFileSync(join(folder, name)));
  }
  expect(divideContexts(files)).toBeDefined();
  const rest = { config: "", binaries: [], key: "" };
  const policy = { name: "x", ...rest, readFiles: async () => files };
  const labelOf = await createLabelSource(repo).open(policy);
  if (labelOf === undefined) throw new Error("libselinux cannot be called");
  return (path: string, mode: number) => labelOf(path, mode)?.toString().slice(0, -1);
}
