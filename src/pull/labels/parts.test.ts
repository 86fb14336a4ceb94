import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { divideContexts, type PolicyParts } from "./parts.ts";
import type { ContextFiles } from "./rules.ts";

const RULES = `
# the first line
/.*  system_u:object_r:default_t:s0
/usr/.*  usr_t
/usr/(.*/)?lib(/.*)?  lib_t
/usr/bin(/.*)?  bin_t
/usr/bin/su(do)?  --  su_t
/usr/bin/mount  --  mount_t
/usr/lib/modules(/.*)?  modules_t
/usr/share/zoneinfo(/.*)?  locale_t
/run/user/%{USERID}  user_t
/run/.*  run_t
/a|/b  odd_t
/etc/shadow-?  shadow_t`;

function filesOf(rules: string, subs = ""): ContextFiles {
  return new Map([
    ["file_contexts", Buffer.from(rules)],
    ["file_contexts.subs_dist", Buffer.from(subs)],
  ]);
}

function divide(files: ContextFiles): PolicyParts["partFor"] {
  const parts = divideContexts(files);
  if (parts === undefined) throw new Error("it cannot be divided");
  return parts.partFor;
}

function expressionsIn(files: ContextFiles): readonly string[] {
  const lines = Buffer.from(files.get("file_contexts") ?? "")
    .toString()
    .split("\n");
  return lines.flatMap((it) => it.split(/\s+/)[0] ?? []).filter((it) => /^[^#]/.test(it));
}

test.each([
  [
    "/usr/share/zoneinfo/UTC",
    ["/.*", "/usr/.*", "/usr/(.*/)?lib(/.*)?", "/usr/share/zoneinfo(/.*)?"],
  ],
  [
    "/usr/share/zoneinfo/a/b/c",
    ["/.*", "/usr/.*", "/usr/(.*/)?lib(/.*)?", "/usr/share/zoneinfo(/.*)?"],
  ],
  ["/usr/share/other", ["/.*", "/usr/.*", "/usr/(.*/)?lib(/.*)?"]],
  [
    "/usr/bin/mount",
    ["/.*", "/usr/.*", "/usr/(.*/)?lib(/.*)?", "/usr/bin(/.*)?", "/usr/bin/mount"],
  ],
  ["/etc/shadow-", ["/.*", "/etc/shadow-?"]],
  ["/", ["/.*"]],
])("only rules that can match %s are in its part", (path, want) => {
  const found = expressionsIn(divide(filesOf(RULES))(path).files());
  expect(found.filter((it) => !["/run/user/%{USERID}", "/a|/b"].includes(it))).toEqual(want);
  expect(found).toEqual(expect.arrayContaining(["/run/user/%{USERID}", "/a|/b"]));
});

test("one part serves all paths with the same rules, and each directory with many rules has one", () => {
  const many = Array.from({ length: 60 }, (_, i) => `/usr/bin/p${i}  -- p${i}_t`);
  const partFor = divide(filesOf(`${RULES}\n${many.join("\n")}\n`));
  expect(partFor("/usr/share/a")).toBe(partFor("/usr/games/deep/below/b"));
  const parts = new Set(many.map((_, i) => partFor(`/usr/bin/p${i}`)));
  expect(parts.size).toBeLessThan(10);
});

describe("aliases", () => {
  const SUBS = "# of paths\n/usr/lib64 /usr/lib\n/lib  /usr/lib\n/opt/usr /lib\n";

  test.each([
    ["/usr/lib64/modules/x", ["/usr/lib/modules(/.*)?"]],
    ["/usr/lib64/modules", ["/usr/lib/modules(/.*)?"]],
    ["/usr/lib64", ["/usr/(.*/)?lib(/.*)?"]],
    ["/lib", ["/usr/(.*/)?lib(/.*)?", "/usr/.*"]],
    ["/opt/usr/modules", ["/usr/lib/modules(/.*)?"]],
  ])("%s has the rules of the path it stands for", (path, want) => {
    const partFor = divide(filesOf(RULES, SUBS));
    const { size, files } = partFor(path);
    expect(expressionsIn(files())).toEqual(expect.arrayContaining(want));
    expect(Buffer.from(files().get("file_contexts.subs_dist") ?? "").toString()).toBe(SUBS);
    expect(size).toBeLessThan(9);
  });

  test("a circle of them leads to the whole policy", () => {
    const partFor = divide(filesOf(RULES, "/opt /opt/a\n"));
    expect(partFor("/opt/x/y").size).toBe(expressionsIn(filesOf(RULES)).length);
  });
});

test.each([
  ["an alias for the root", filesOf(RULES, "/a /\n")],
  ["an alias without a target", filesOf(RULES, "/a\n")],
  ["two targets of an alias", filesOf(RULES, "/a /b\n/a /c\n")],
  ["an alias beyond ASCII", filesOf(RULES, "/ä /b\n")],
  ["a NUL byte", filesOf(`${RULES}\0\n`)],
  ["compiled rules of an unknown form", new Map([["file_contexts.bin", Buffer.from("compiled")]])],
])("a policy with %s is not divided", (_, files) => {
  expect(divideContexts(files)).toBeUndefined();
});

/** What libselinux does, without types of files: the last rule that matches decides. */
function matchLast(files: ContextFiles, path: string): string | undefined {
  const places = [path, ...aliasedBy(files, path)];
  const rules = expressionsIn(files);
  return places.map((it) => rules.findLast((rule) => new RegExp(`^${rule}$`, "s").test(it))).join();
}

function aliasedBy(files: ContextFiles, path: string): readonly string[] {
  const lines = Buffer.from(files.get("file_contexts.subs_dist") ?? "")
    .toString()
    .split("\n");
  return lines.flatMap((line) => {
    const [from = "", to = ""] = line.split(" ");
    if (from === "" || (path !== from && !path.startsWith(`${from}/`))) return [];
    const other = to + path.slice(from.length);
    return [
      other,
      ...aliasedBy(
        new Map([
          ["file_contexts.subs_dist", Buffer.from(lines.filter((it) => it !== line).join("\n"))],
        ]),
        other,
      ),
    ];
  });
}

const NAME = fc.stringMatching(/^[ab.]{1,3}$/).filter((it) => !/^\.+$/.test(it));
const PATH = fc.array(NAME, { minLength: 1, maxLength: 4 }).map((it) => `/${it.join("/")}`);
const PIECE = fc.constantFrom(
  ..."a,b,\\.,.,/,.*,(/.*)?,(.*/)?,[^/]*,[ab],(a|b),a?,b*,a+,(a/)?,/a,/b,a{1},|,(?:a)".split(","),
);
const RULE = fc.tuple(PATH, fc.array(PIECE, { maxLength: 4 })).map(([path, rest]) => {
  return `${path.replaceAll(".", "\\.")}${rest.join("")}`;
});
const COMPILES = (it: string) => {
  try {
    new RegExp(it);
    return true;
  } catch {
    return false;
  }
};

test("a part decides as the whole policy does", () => {
  const policies = fc.record({
    rules: fc.array(RULE.filter(COMPILES), { minLength: 1, maxLength: 30 }),
    aliases: fc.uniqueArray(fc.tuple(PATH, PATH), { selector: ([from]) => from, maxLength: 3 }),
    paths: fc.array(PATH, { minLength: 1, maxLength: 30 }),
  });
  fc.assert(
    fc.property(policies, ({ rules, aliases, paths }) => {
      const subs = aliases.map((it) => `${it.join(" ")}\n`).join("");
      const files = filesOf(rules.map((it) => `${it} x_t\n`).join(""), subs);
      const partFor = divide(files);
      for (const path of paths) {
        expect(matchLast(partFor(path).files(), path)).toBe(matchLast(files, path));
      }
    }),
    { numRuns: 300 },
  );
});
