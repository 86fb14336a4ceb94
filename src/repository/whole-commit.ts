// Whether all objects of a commit are there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { parseDirtree } from "../ostree/dirtree.ts";
import { EMPTY_TREE, type ObjectKind, objectPath, parseCommit } from "../ostree/objects.ts";
import { ifAbsent, ifMissing } from "../system/files.ts";
import { partialMark, type Scratch } from "./scratch.ts";

export interface ObjectPlaces {
  readonly repo: string;
  /** It may have further objects. */
  readonly scratch: Pick<Scratch, "pathOf">;
  /** The objects in there, as it lists them. */
  readonly scratched: ReadonlySet<string>;
}

export interface Proof {
  /** What whole commits have at the same path is there. Absent and incomplete ones do not count. */
  readonly known: readonly string[];
  /** Gets what the commit consists of, as far as the scratch repository has it. */
  readonly reached: Set<string>;
}

/** Refuses a commit that lacks an object, which `ostree pull-local` would find out. */
export function requireWhole(places: ObjectPlaces, commit: string, proof: Proof): void {
  const { reached } = proof;
  const require = createRequirement(places, reached);
  const { rootTree, rootMeta } = parseCommit(readObject(places, commit, "commit"));
  reached.add(`${commit}.commit`).add(`${commit}.commitmeta`);
  require(rootMeta, "dirmeta");
  const seen = new Set<string>();
  const waiting = [{ tree: rootTree, known: knownRoots(places.repo, proof.known) }];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const { tree } = at;
    if (seen.has(tree) || at.known.includes(tree)) continue;
    seen.add(tree);
    reached.add(`${tree}.dirtree`);
    if (tree === EMPTY_TREE) continue;
    const { files, dirs } = parseDirtree(readObject(places, tree, "dirtree"));
    for (const { checksum } of files) require(checksum, "file");
    for (const { meta } of dirs) require(meta, "dirmeta");
    const known = at.known.map((it) => knownDirectories(places.repo, it));
    for (const { name, tree } of dirs) {
      waiting.push({ tree, known: known.flatMap((it) => it.get(name) ?? []) });
    }
  }
}

function knownRoots(repo: string, commits: readonly string[]): readonly string[] {
  return commits.flatMap((commit) => {
    const isPartial = existsSync(partialMark(repo, commit));
    const bytes = isPartial ? undefined : readIfAny(join(repo, objectPath(commit, "commit")));
    return bytes === undefined ? [] : parseCommit(bytes).rootTree;
  });
}

/** The trees of the directories in a tree, by their names. */
function knownDirectories(repo: string, tree: string): ReadonlyMap<string, string> {
  const bytes = readIfAny(join(repo, objectPath(tree, "dirtree")));
  const dirs = bytes === undefined ? [] : parseDirtree(bytes).dirs;
  return new Map(dirs.map((it) => [it.name, it.tree]));
}

function readIfAny(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    return ifMissing(undefined)(error);
  }
}

/** Refuses a commit whose own object is missing. */
export function requireCommitObject(places: ObjectPlaces, commit: string): void {
  readObject(places, commit, "commit");
}

/** Folders are listed instead of asking for thousands of objects one by one, which takes much longer. */
function createRequirement({ repo, scratched }: ObjectPlaces, reached: Set<string>) {
  const folders = new Map<string, ReadonlySet<string>>();
  const listed = (folder: string) => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const names = new Set(namesIn(join(repo, "objects", folder)));
    folders.set(folder, names);
    return names;
  };
  return (checksum: string, kind: ObjectKind) => {
    const name = `${checksum}.${kind}`;
    if (scratched.has(name)) reached.add(name);
    else if (!listed(name.slice(0, 2)).has(name.slice(2))) throw missing(checksum, kind);
  };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    return ifAbsent<readonly string[]>([])(error);
  }
}

function readObject(
  { repo, scratch, scratched }: ObjectPlaces,
  checksum: string,
  kind: ObjectKind,
): Buffer {
  const isScratched = scratched.has(`${checksum}.${kind}`);
  const path = isScratched
    ? scratch.pathOf(checksum, kind)
    : join(repo, objectPath(checksum, kind));
  const bytes = readIfAny(path);
  if (bytes === undefined) throw missing(checksum, kind);
  return bytes;
}

function missing(checksum: string, kind: ObjectKind): BootcError {
  return new BootcError(`the object ${checksum}.${kind} is not in the repository`, {
    kind: "integrity",
    hint: "run `ostree fsck` on the repository",
  });
}
