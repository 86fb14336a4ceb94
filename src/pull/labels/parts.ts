// Parts of a policy: the few rules that can decide about a path.
//
// libselinux 3.4 tries thousands of regular expressions for a path, all that begin with the same directory of
// the root. A part has those rules which the fixed beginnings of their expressions do not rule out, in their
// order. So libselinux finds the same rule in it, or none.
import { type ContextFiles, type PolicyRules, type Rule, readRules } from "./rules.ts";

export interface PolicyPart {
  /** Number of rules. */
  readonly size: number;
  files(): ContextFiles;
}

export interface PolicyParts {
  readonly whole: PolicyPart;
  /** A part with every rule that can match the absolute path. Many paths have the same one. */
  partFor(path: string): PolicyPart;
}

/** Undefined when the policy cannot be divided. */
export function divideContexts(files: ContextFiles): PolicyParts | undefined {
  const policy = readRules(files);
  if (policy === undefined) return undefined;
  const { rules, aliases } = policy;
  const partOf = createParts(policy);
  const directoryOf = createDirectories(policy, partOf);
  const remote = (path: string) => {
    const places = placesOf(path, aliases);
    return partOf(places === undefined ? rules : rulesAt(places, rules));
  };
  const partFor = (path: string): Part => {
    const slash = path.lastIndexOf("/");
    const directory = directoryOf(path.slice(0, slash));
    if (directory === undefined) return partOf(rules);
    const name = path.slice(slash + 1);
    const places = directory.places.map((it) => `${it}${name}`);
    // An alias of the path itself leads out of the directory.
    if (places.some((it) => aliases.has(it))) return remote(path);
    const own = (directory.special.get(name.slice(0, 1)) ?? []).filter((it) =>
      places.some((place) => place.startsWith(it.prefix)),
    );
    return own.length === 0 ? directory.common : partWith(directory, own, partOf);
  };
  return { whole: partOf(rules), partFor };
}

type PartOf = (rules: readonly Rule[]) => Part;

interface Part extends PolicyPart {
  readonly rules: readonly Rule[];
}

/** Equal parts are one. */
function createParts({ format }: PolicyRules): PartOf {
  const known = new Map<string, Part>();
  return (some) => {
    const rules = some.toSorted((a, b) => a.index - b.index);
    const key = rules.map((it) => it.index).join(" ");
    const part = known.get(key) ?? { rules, size: rules.length, files: () => format(rules) };
    known.set(key, part);
    return part;
  };
}

interface Directory {
  /** Where it may be found, by aliases as well, with a slash at the end. */
  readonly places: readonly string[];
  /** The rules that can match any name in it. */
  readonly common: Part;
  /** Further rules, by the first letter of the names that they can match. */
  readonly special: ReadonlyMap<string, readonly Rule[]>;
  /** How many paths in it had rules of their own. */
  asked: number;
}

/** Undefined for a directory with too many places. */
type DirectoryOf = (path: string) => Directory | undefined;

function createDirectories({ rules, aliases }: PolicyRules, partOf: PartOf): DirectoryOf {
  const known = new Map<string, Directory | undefined>();
  const make = (path: string): Directory | undefined => {
    const places = placesOf(path, aliases)?.map((it) => `${it}/`);
    if (places === undefined) return undefined;
    const slash = path.lastIndexOf("/");
    const above = path === "" ? undefined : find(path.slice(0, slash));
    const name = path.slice(slash + 1);
    const expected = above?.places.map((it) => `${it}${name}/`) ?? [];
    // Where an alias begins, rules for another place come in.
    const isApart = places.some((it) => !expected.includes(it));
    if (isApart || above === undefined) {
      return newDirectory(places, { from: rules, common: partOf([]), partOf });
    }
    const from = above.special.get(name.slice(0, 1)) ?? [];
    return newDirectory(places, { from, common: above.common, partOf });
  };
  const find: DirectoryOf = (path) => {
    if (!known.has(path)) known.set(path, make(path));
    return known.get(path);
  };
  return find;
}

interface Above {
  /** Rules that may match something in the directory. */
  readonly from: readonly Rule[];
  /** Rules that can match anything in it. */
  readonly common: Part;
  readonly partOf: PartOf;
}

function newDirectory(places: readonly string[], { from, common, partOf }: Above): Directory {
  const added = rulesAt(places, from);
  const special = new Map<string, Rule[]>();
  const seen = new Set(added);
  for (const rule of from) {
    if (seen.has(rule)) continue;
    const letters = places.flatMap((it) =>
      rule.prefix.startsWith(it) ? rule.prefix.slice(it.length, it.length + 1) : [],
    );
    for (const it of new Set(letters)) addTo(special, it, rule);
  }
  const part = added.length === 0 ? common : partOf([...common.rules, ...added]);
  return { places, common: part, special, asked: 0 };
}

function addTo<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** What it takes to open a part at all, counted in rules. */
const OPENING_RULES = 20;

/**
 * The part for a path with rules of its own: one for the whole directory, once opening a part for each such
 * path would have taken longer.
 */
function partWith(directory: Directory, special: readonly Rule[], partOf: PartOf): Part {
  const { common } = directory;
  directory.asked++;
  const own = common.size + special.length + OPENING_RULES;
  const all = [...new Set([...directory.special.values()].flat())];
  const isSeldom = directory.asked * own < common.size + all.length + OPENING_RULES;
  return partOf([...common.rules, ...(isSeldom ? special : all)]);
}

/** The rules that can match at one of the places, or below it when it ends with a slash. */
function rulesAt(places: readonly string[], rules: readonly Rule[]): readonly Rule[] {
  return rules.filter(({ prefix }) => places.some((it) => it.startsWith(prefix)));
}

const PLACES_MAX = 16;

/**
 * The path, and all that aliases, which may lead to further ones, make of it. Undefined when these are many,
 * as in a circle.
 */
function placesOf(
  path: string,
  aliases: ReadonlyMap<string, string>,
): readonly string[] | undefined {
  const places = [path];
  for (const place of places) {
    for (const [from, to] of aliases) {
      if (place !== from && !place.startsWith(`${from}/`)) continue;
      const other = `${to}${place.slice(from.length)}`;
      if (!places.includes(other)) places.push(other);
    }
    if (places.length > PLACES_MAX) return undefined;
  }
  return places;
}
