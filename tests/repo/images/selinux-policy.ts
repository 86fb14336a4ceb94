// Debian's SELinux policy as entries of an image: the file contexts, and a file in place of the policy itself.
// The package has its file contexts inside a compiled module and unpacks them at installation; here they are
// extracted directly.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { testCache } from "../ostree-versions.ts";
import { dir, file, type TestEntry } from "./tar-writer.ts";

/** Entries below `top` (`etc` in a derived layer, `usr/etc` in a base). */
export function selinuxPolicy(top: string): readonly TestEntry[] {
  const cached = fetchPolicy();
  const selinux = `${top}/selinux`;
  const contexts = `${selinux}/default/contexts`;
  return [
    dir(selinux),
    file(`${selinux}/config`, "SELINUX=enforcing\nSELINUXTYPE=default\n"),
    dir(`${selinux}/default`),
    dir(`${selinux}/default/policy`),
    file(`${selinux}/default/policy/policy.33`, "its checksum alone is looked at"),
    dir(contexts),
    dir(`${contexts}/files`),
    file(`${contexts}/files/file_contexts`, readFileSync(join(cached, "file_contexts"))),
    file(`${contexts}/files/file_contexts.subs_dist`, readFileSync(join(cached, "subs_dist"))),
  ];
}

function fetchPolicy(): string {
  return fetchOnce("selinux-policy", (work, run) => {
    const module = run("bzip2", ["-dc", "x/usr/share/selinux/default/base.pp.bz2"]);
    run("cp", ["x/etc/selinux/default/contexts/files/file_contexts.subs_dist", "subs_dist"]);
    const rules = fileContexts(module).filter((it) => it.startsWith("/"));
    if (rules.length < 100) throw new Error("base.pp has hardly any file contexts");
    writeFileSync(join(work, "file_contexts"), `${rules.join("\n")}\n`);
  });
}

/**
 * Debian's complete policy, with all modules and with a file for home directories, as `semodule` makes it when the
 * package is installed. The folder returned is a system's `etc/selinux`.
 */
export function wholeSelinuxPolicy(): string {
  return fetchOnce("selinux-policy-whole", (work, run) => {
    const modules = readdirSync(join(work, "x/usr/share/selinux/default"));
    const rules = ["base.pp.bz2", ...modules.filter((it) => it !== "base.pp.bz2")]
      .filter((it) => it.endsWith(".pp.bz2"))
      .flatMap((it) => fileContexts(run("bzip2", ["-dc", `x/usr/share/selinux/default/${it}`])));
    // In semodule's order, since of two rules for a file the later one counts.
    rules.sort(compareRules);
    const homes = rules.filter((it) => it.startsWith("HOME_"));
    const folder = join(work, "etc/selinux/default/contexts/files");
    mkdirSync(join(work, "etc/selinux"), { recursive: true });
    run("mv", ["x/etc/selinux/default", "etc/selinux/default"]);
    const write = (path: string, lines: readonly string[]) =>
      writeFileSync(path, `${lines.join("\n")}\n`);
    const system = rules.filter((it) => it.startsWith("/"));
    if (system.length < 4000 || homes.length < 100) throw new Error("the modules have few rules");
    write(join(folder, "file_contexts"), system);
    write(
      join(folder, "file_contexts.homedirs"),
      homes.map((it) => it.replace("HOME_DIR", "/home/[^/]+").replace("HOME_ROOT", "/home")),
    );
    write(join(work, "etc/selinux/config"), ["SELINUX=enforcing", "SELINUXTYPE=default"]);
    mkdirSync(join(work, "etc/selinux/default/policy"), { recursive: true });
    write(join(work, "etc/selinux/default/policy/policy.33"), ["its checksum alone is looked at"]);
  });
}

/** Rules that use all features of a policy. */
const CRAFTED: Readonly<Record<string, string>> = {
  file_contexts: `
/.*\t\tsystem_u:object_r:default_t:s0
/\t-d\tsystem_u:object_r:root_t:s0
/etc(/.*)?\t\tsystem_u:object_r:etc_t:s0
/etc/shadow.*\t--\tsystem_u:object_r:shadow_t:s0
/usr(/.*)?\t\tsystem_u:object_r:usr_t:s0
/usr/(s)?bin(/.*)?\t\tsystem_u:object_r:bin_t:s0
/usr/lib(/.*)?\t\tsystem_u:object_r:lib_t:s0
/usr/lib/.*/[^/]+\\.so(\\.[0-9]+)*\t--\tsystem_u:object_r:shlib_t:s0
/usr/lib/.+\t-l\tsystem_u:object_r:link_t:s0
/usr/lib/modules/[^/]+\t-d\tsystem_u:object_r:modules_t:s0:c0.c1023
/usr/tmp(/.*)?\t\t<<none>>
/usr/tmp/kept\t--\tsystem_u:object_r:kept_t:s0
/var/run/.*\t\t<<none>>
/var/run/named(/.*)?\t\tsystem_u:object_r:named_t:s0
/usr/bin/exact\t\tsystem_u:object_r:exact_t:s0
/usr/.*\\.(conf|cfg)\t--\tsystem_u:object_r:conf_t:s0
/mnt\t-d\tsystem_u:object_r:mnt_t:s0
/proc(/.*)?\t\t<<none>>
`,
  "file_contexts.homedirs": `
/home\t-d\tsystem_u:object_r:home_root_t:s0
/home/[^/]+\t-d\tunconfined_u:object_r:home_t:s0
/home/[^/]+/.+\t\tunconfined_u:object_r:home_t:s0
/home/[^/]+/\\.ssh(/.*)?\t\tunconfined_u:object_r:ssh_t:s0
`,
  "file_contexts.local": `
/usr/bin/local\t\tsystem_u:object_r:local_t:s0
/home/me/\\.ssh/own\t--\tsystem_u:object_r:own_t:s0
`,
  "file_contexts.subs_dist": `
/run /var/run
/usr/lib64 /usr/lib
/usr/etc /etc
/bin /usr/bin
`,
  "file_contexts.subs": `
/opt/vendor /usr/lib64
/srv/home /home
`,
};

/** A small policy named `test`, as files of `etc/selinux` by their paths. */
export function craftedPolicy(): Readonly<Record<string, string>> {
  const rules = Object.entries(CRAFTED).map(([name, text]): [path: string, text: string] => [
    `test/contexts/files/${name}`,
    text.trimStart(),
  ]);
  return {
    config: "SELINUX=enforcing\nSELINUXTYPE=test\n",
    "test/policy/policy.33": "its checksum alone is looked at",
    ...Object.fromEntries(rules),
  };
}

/** By expression first, then by the length of the part before the first special character, then by length. */
function compareRules(one: string, other: string): number {
  const [a, b] = [one, other].map((it) => {
    const [path = "", ...rest] = it.split(/\s+/);
    const stem = /^(?:\\.|[^.^$?*+|[({\\])*/.exec(path)?.[0].length ?? 0;
    return [stem === path.length ? 1 : 0, stem, path.length, rest.length];
  });
  for (const [i, it] of a?.entries() ?? []) {
    const difference = it - (b?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

type Run = (program: string, args: readonly string[]) => Buffer;

/** Makes a folder of the test cache from the package, which `unpack` finds unpacked in `x`. */
function fetchOnce(name: string, unpack: (work: string, run: Run) => void): string {
  const made = join(testCache, name);
  if (existsSync(made)) return made;
  mkdirSync(testCache, { recursive: true });
  const work = mkdtempSync(join(testCache, `${name}.`));
  const run: Run = (program, args) =>
    execFileSync(program, args, {
      cwd: work,
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
  run("apt-get", ["download", "selinux-policy-default"]);
  const [deb = ""] = readdirSync(work).filter((it) => it.endsWith(".deb"));
  run("dpkg", ["-x", deb, "x"]);
  unpack(work, run);
  run("rm", ["-rf", "x", deb]);
  renameSync(work, made);
  return made;
}

const PACKAGE_MAGIC = 0xf97cff8f;
const FILE_CONTEXTS_MAGIC = 0xf97cff90;

/** A policy package is magic, version, count, offsets, sections; each section starts with its own magic. */
function fileContexts(module: Buffer): readonly string[] {
  if (module.readUInt32LE(0) !== PACKAGE_MAGIC) throw new Error("a module is no policy package");
  const count = module.readUInt32LE(8);
  const offsets = Array.from({ length: count }, (_, i) => module.readUInt32LE(12 + 4 * i));
  const at = offsets.findIndex((it) => module.readUInt32LE(it) === FILE_CONTEXTS_MAGIC);
  if (at < 0) return [];
  const text = module.toString("utf8", (offsets[at] ?? 0) + 4, offsets[at + 1] ?? module.length);
  return text.split("\n").filter((it) => it !== "" && !it.startsWith("#"));
}
