// The SELinux policy of Debian's package as entries of an image: contexts, and a file in the place of the policy.
// The package holds its file contexts inside a compiled module and has them unpacked at installation; here they
// are taken out directly.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from "node:fs";
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
  const made = join(testCache, "selinux-policy");
  if (existsSync(made)) return made;
  mkdirSync(testCache, { recursive: true });
  const work = mkdtempSync(join(testCache, "selinux-policy."));
  const run = (program: string, args: readonly string[]) =>
    execFileSync(program, args, {
      cwd: work,
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
  run("apt-get", ["download", "selinux-policy-default"]);
  const [deb = ""] = readdirSync(work).filter((it) => it.endsWith(".deb"));
  run("dpkg", ["-x", deb, "x"]);
  const module = run("bzip2", ["-dc", "x/usr/share/selinux/default/base.pp.bz2"]);
  run("cp", ["x/etc/selinux/default/contexts/files/file_contexts.subs_dist", "subs_dist"]);
  execFileSync("tee", [join(work, "file_contexts")], {
    input: fileContexts(module),
    stdio: "pipe",
  });
  run("rm", ["-rf", "x", deb]);
  renameSync(work, made);
  return made;
}

const PACKAGE_MAGIC = 0xf97cff8f;
const FILE_CONTEXTS_MAGIC = 0xf97cff90;

/** A policy package is magic, version, count, offsets, sections; each section starts with its own magic. */
function fileContexts(module: Buffer): string {
  if (module.readUInt32LE(0) !== PACKAGE_MAGIC) throw new Error("base.pp is no policy package");
  const count = module.readUInt32LE(8);
  const offsets = Array.from({ length: count }, (_, i) => module.readUInt32LE(12 + 4 * i));
  const at = offsets.findIndex((it) => module.readUInt32LE(it) === FILE_CONTEXTS_MAGIC);
  const text = module.toString("utf8", (offsets[at] ?? 0) + 4, offsets[at + 1] ?? module.length);
  const lines = text.split("\n").filter((it) => it.startsWith("/"));
  if (lines.length < 100) throw new Error("base.pp has hardly any file contexts");
  return `${lines.join("\n")}\n`;
}
