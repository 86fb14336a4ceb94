import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseProjectFile, readProjectFile } from "./project-file.ts";

const TOP = join(import.meta.dirname, "../../..");
const file = "copr/project.json";
const schema = JSON.parse(await readFile(join(TOP, "copr/project.schema.json"), "utf8")) as object;

const good = {
  owner: "@group",
  project: "demo",
  description: "A demonstration",
  chroots: ["fedora-rawhide-x86_64"],
  package: { name: "demo", cloneUrl: "https://example.org/demo.git", committish: "main" },
};

function messageOf(text: string): string {
  try {
    parseProjectFile(text, { file, schema });
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

test("the file of this repository is valid, and names no network in builds", async () => {
  const project = await readProjectFile(TOP);
  expect(project.enableNet).toBe(false);
  expect(project.chroots).toContain("fedora-rawhide-aarch64");
  expect(project.chroots.every((it) => /-(x86_64|aarch64)$/.test(it))).toBe(true);
});

test("every problem is reported with its line", () => {
  const text = JSON.stringify(
    { ...good, chroots: ["Windows"], extra: 1, owner: "a b" },
    undefined,
    2,
  );
  expect(messageOf(text).split("\n")).toEqual([
    "copr/project.json:13: `extra` is not a setting",
    "copr/project.json:2: owner is `a b`, which is not valid",
    "copr/project.json:6: chroots.0 is `Windows`, which is not valid",
  ]);
});

test("what the server's forms would refuse is reported with its line", () => {
  const text = JSON.stringify(
    {
      ...good,
      homepage: "https://localhost/",
      contact: "me@localhost",
      package: { ...good.package, cloneUrl: "https://localhost/x.git", spec: ".spec" },
    },
    undefined,
    2,
  );
  expect(messageOf(text).split("\n")).toEqual([
    "copr/project.json:14: homepage is `https://localhost/`, which is not a URL that the server accepts",
    "copr/project.json:15: contact is `me@localhost`, which is neither an e-mail address nor a URL " +
      "that the server accepts",
    "copr/project.json:10: package.cloneUrl is `https://localhost/x.git`, which is not a URL that the server accepts",
    "copr/project.json:12: package.spec is `.spec`, which is not valid",
  ]);
});

test("a setting that is missing", () => {
  const { project: _, ...rest } = good;
  expect(messageOf(JSON.stringify(rest, undefined, 2))).toBe(
    "copr/project.json:1: the file lacks `project`",
  );
});

test("a chroot that is both wanted and excluded", () => {
  const text = JSON.stringify({ ...good, excludedChroots: ["epel-9-x86_64", ...good.chroots] });
  expect(messageOf(text)).toBe(
    `copr/project.json:1: \`${good.chroots[0]}\` is in \`chroots\` as well`,
  );
});

test("a comma too many is reported with its line", () => {
  expect(messageOf('{\n  "owner": "a",,\n  "project": "b"\n}')).toMatch(/^copr\/project.json:2: /);
});

test("a key that stands twice", () => {
  expect(messageOf('{\n  "owner": "a",\n  "owner": "b"\n}')).toMatch(
    /^copr\/project.json:3: .*unique/,
  );
});

test("YAML that is not JSON is refused", () => {
  expect(messageOf('{\n  # why\n  "owner": "a"\n}')).toBe("copr/project.json:2: this is not JSON");
});
