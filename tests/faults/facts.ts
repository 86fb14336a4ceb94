// What a verb has left on a machine: refs, deployments, what boots, and leftovers.
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { kindOf } from "../../src/errors.ts";
import { objectPath, parseCommit } from "../../src/ostree/objects.ts";
import { requireWhole } from "../../src/repository/whole-commit.ts";

export interface Facts {
  /** Commits by the refs that name them. */
  readonly refs: Readonly<Record<string, string>>;
  /** The boot loader's entries: what each boots, by content. */
  readonly entries: Readonly<Record<string, string>>;
  /** Digests of deployments and of their origins, without serials. */
  readonly deployments: Readonly<Record<string, string>>;
  /** Which of them the entries boot. */
  readonly listed: readonly string[];
  /** Digest of what is staged; empty if nothing is. */
  readonly staged: string;
  /** What tells others that a reboot is due. */
  readonly told: string;
  /** The deployment that is staged. */
  readonly stagedName: string;
  /** Names that no finished verb leaves. */
  readonly leftovers: readonly string[];
  /** Refs of commits of which ostree believes that they lack objects. */
  readonly partial: readonly string[];
  /** Those of them that do. */
  readonly lacking: readonly string[];
}

export function readFacts({
  sysroot,
  run,
}: {
  readonly sysroot: string;
  readonly run: string;
}): Facts {
  const repo = join(sysroot, "ostree/repo");
  const { entries, listed } = readBootEntries(sysroot);
  const staged = readStaged(run);
  const partial = findPartial(repo);
  return {
    refs: withoutBootVersion(mapRefs(repo, (ref, commit) => describeCommit(repo, ref, commit))),
    entries,
    listed,
    deployments: readDeployments(join(sysroot, "ostree/deploy/default/deploy")),
    staged: staged === "" ? "" : digestOf(staged),
    told: readIfAny(join(run, "reboot-required")),
    stagedName: /[0-9a-f]{64}\.\*/.exec(staged)?.[0] ?? "",
    leftovers: [
      ...readLeftovers(sysroot),
      ...namesIn(join(run, "bootc")).map((it) => `run/bootc/${it}`),
    ],
    partial: partial.map(({ ref }) => ref),
    lacking: partial.filter(({ commit }) => lacksObjects(repo, commit)).map(({ ref }) => ref),
  };
}

const namesIn = (dir: string): readonly string[] =>
  existsSync(dir) ? readdirSync(dir).sort() : [];

const digestOf = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex").slice(0, 16);

/** Whether a deployment is the first or the second try, nobody cares. */
const withoutSerials = (text: string): string => text.replace(/([0-9a-f]{64})\.\d+/g, "$1.*");

function mapRefs(
  repo: string,
  map: (ref: string, commit: string) => string,
  prefix = "",
): Record<string, string> {
  const refs: Record<string, string> = {};
  const dir = join(repo, "refs/heads", prefix);
  for (const name of namesIn(dir)) {
    const path = join(dir, name);
    const ref = `${prefix}${name}`;
    if (statSync(path).isDirectory()) Object.assign(refs, mapRefs(repo, map, `${ref}/`));
    else refs[ref] = map(ref, readFileSync(path, "utf8").trim());
  }
  return refs;
}

/** Which of the boot versions the deployments' refs have, does not matter, but there is to be only one. */
function withoutBootVersion(refs: Record<string, string>): Record<string, string> {
  const versions = new Set(
    Object.keys(refs).flatMap((it) => /^ostree\/[01]\/[01]\//.exec(it) ?? []),
  );
  const [version] = versions;
  if (version === undefined || versions.size > 1) return refs;
  return Object.fromEntries(
    Object.entries(refs).map(([ref, commit]) => [ref.replace(version, "ostree/*/*/"), commit]),
  );
}

function findPartial(repo: string) {
  const refs = Object.entries(mapRefs(repo, (_, commit) => commit));
  return refs
    .filter(([, commit]) => existsSync(markOf(repo, commit)))
    .map(([ref, commit]) => ({ ref, commit }));
}

/** ostree removes its mark after it has given the ref its name. */
function lacksObjects(repo: string, commit: string): boolean {
  const pathOf = (): string => {
    throw new Error("unreachable: nothing is read from a scratch repository");
  };
  try {
    const places = { repo, scratch: { pathOf }, scratched: new Set<string>() };
    requireWhole(places, commit, { known: [], reached: new Set() });
    return false;
  } catch (error) {
    if (kindOf(error) === "integrity") return true;
    throw error;
  }
}

const markOf = (repo: string, commit: string) => join(repo, `state/${commit}.commitpartial`);

/** Commits of layers have the time in them, so their contents count. */
function describeCommit(repo: string, ref: string, commit: string): string {
  const path = join(repo, objectPath(commit, "commit"));
  if (!ref.startsWith("ostree/container/blob/") || !existsSync(path)) return commit;
  return parseCommit(readFileSync(path)).rootTree;
}

function readBootEntries(sysroot: string) {
  const entries: Record<string, string> = {};
  const listed: string[] = [];
  const dir = join(sysroot, "boot/loader/entries");
  for (const name of namesIn(dir)) {
    const text = readFileSync(join(dir, name), "utf8");
    const value = (key: string) => new RegExp(`^${key}\\s+(.*)$`, "m").exec(text)?.[1] ?? "";
    const content = (key: string) =>
      digestOfFile(join(sysroot, "boot", value(key).replace(/^\/boot\//, "/")));
    const target = /\bostree=(\S+)/.exec(value("options"))?.[1] ?? "";
    const link = join(sysroot, target);
    const deployment = withoutSerials(
      existsSync(link) ? (readlinkSync(link).split("/").at(-1) ?? "") : "none",
    );
    listed.push(deployment);
    // Which of the two boot versions an entry names, does not matter.
    const shown = withoutSerials(text).replace(/\/ostree\/boot\.\d/, "/ostree/boot.*");
    entries[name] = [digestOf(shown), content("linux"), content("initrd"), deployment].join(" ");
  }
  return { entries, listed };
}

function readIfAny(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function digestOfFile(path: string): string {
  return existsSync(path) ? digestOf(readFileSync(path)) : "none";
}

function readStaged(run: string): string {
  const path = join(run, "ostree/staged-deployment");
  return existsSync(path) ? withoutSerials(readFileSync(path, "latin1")) : "";
}

function readDeployments(dir: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of namesIn(dir)) {
    const path = join(dir, name);
    if (!lstatSync(path).isDirectory()) continue;
    found[withoutSerials(name)] = `${digestOfTree(path)} ${digestOfFile(`${path}.origin`)}`;
  }
  return found;
}

/** Of names, types, modes, owners, targets and contents. */
function digestOfTree(top: string): string {
  const hash = createHash("sha256");
  const visit = (path: string) => {
    const { mode, uid, gid } = lstatSync(path);
    const type = mode & 0o170000;
    hash.update(`${relative(top, path)} ${mode} ${uid} ${gid}\n`);
    if (type === 0o040000) for (const it of readdirSync(path).sort()) visit(join(path, it));
    else if (type === 0o120000) hash.update(readlinkSync(path));
    else if (type === 0o100000) hash.update(readFileSync(path));
  };
  visit(top);
  return hash.digest("hex").slice(0, 16);
}

/** ostree's own temporary files, which it removes when it next has a use for their place, and its locks. */
const OF_OSTREE = /^ostree\/(repo\/tmp\/(staging-|cache)|lock$)/;
const ALWAYS = new Set(["lock", "blobs", "blobs/sha256"]);

/** Unlike `readdir` with `recursive`, follows no links: `/boot/boot` is one to itself. */
function namesBelow(top: string): readonly string[] {
  return readdirSync(top, { withFileTypes: true }).flatMap((it) =>
    it.isDirectory()
      ? [it.name, ...namesBelow(join(top, it.name)).map((name) => join(it.name, name))]
      : [it.name],
  );
}

function readLeftovers(sysroot: string): readonly string[] {
  const found: string[] = [];
  const list = (dir: string) => {
    const top = join(sysroot, dir);
    if (existsSync(top)) found.push(...namesBelow(top).map((it) => join(dir, it)));
  };
  const own = "ostree/repo/extensions/bootc";
  for (const it of [own, "ostree/repo/tmp", "ostree/repo/state", "boot"]) list(it);
  for (const it of namesIn(join(sysroot, "ostree"))) found.push(`ostree/${it}`);
  for (const it of namesIn(join(sysroot, "ostree/deploy/default")))
    found.push(`ostree/deploy/default/${it}`);
  const deployments = "ostree/deploy/default/deploy";
  for (const it of namesIn(join(sysroot, deployments))) found.push(join(deployments, it));
  return found
    .filter((it) => !isMarkOfGarbage(sysroot, it))
    .filter((it) => !OF_OSTREE.test(it) && !ALWAYS.has(it.slice(own.length + 1)))
    .map((it) => withoutSerials(it).replace(/\b(loader|boot)(\.[01])+/, "$1.*"))
    .sort();
}

/** A commit that no ref names stays with its mark until the next clean-up. */
function isMarkOfGarbage(sysroot: string, path: string): boolean {
  const commit = /^ostree\/repo\/state\/([0-9a-f]{64})\.commitpartial$/.exec(path)?.[1];
  return (
    commit !== undefined && existsSync(join(sysroot, "ostree/repo", objectPath(commit, "commit")))
  );
}
