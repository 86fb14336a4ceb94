import { expect, test } from "vitest";
import { type Expectation, judgeState, type KnownSystem, type StateFacts } from "./judge.ts";

function system(version: string): KnownSystem {
  return {
    ...{ version, deployment: `${version.repeat(64)}.0`, tree: `tree ${version}` },
    ...{ etc: `etc ${version}`, origin: "origin" },
    ...{ kernel: `kernel ${version}`, initramfs: `initramfs ${version}` },
  };
}

const TARGET = "/ostree/boot.1/x";

const entryOf = ({ version: _, ...it }: KnownSystem) => ({
  ...it,
  file: "ostree-2.conf",
  target: TARGET,
});

const OLD = system("1");
const NEW = system("2");
const WANTED: Expectation = {
  old: OLD,
  new: NEW,
  others: [],
  allowed: ["old"],
  isRepaired: false,
  next: system("3"),
};

const GOOD: StateFacts = {
  loader: [entryOf(OLD)],
  targets: { [TARGET]: "" },
  entries: [entryOf(OLD)],
  marks: "",
  fsck: "",
  booted: { version: "1", commit: "1".repeat(64) },
  upgrade: "",
  next: [entryOf(system("3"))],
  fsckNext: "",
};

test("a whole system that may be the default is right, also with the other one in the list", () => {
  expect(judgeState(GOOD, WANTED)).toEqual({ booted: "old", problems: [], loader: [] });
  const both = { ...GOOD, entries: [entryOf(OLD), entryOf(NEW)] };
  expect(judgeState(both, WANTED)).toEqual({ booted: "old", problems: [], loader: [] });
  const after: StateFacts = {
    ...GOOD,
    entries: [entryOf(NEW), entryOf(OLD)],
    booted: { version: "2", commit: "2".repeat(64) },
  };
  expect(judgeState(after, { ...WANTED, allowed: ["old", "new"] })).toEqual({
    booted: "new",
    problems: [],
    loader: [],
  });
  expect(judgeState(after, WANTED).problems).toEqual(["the default is new"]);
});

test.each([
  ["etc", "laterEtc"],
  ["origin", "laterOrigin"],
] as const)("what a recording changes may be as before and as after: %s", (part, later) => {
  const wanted = { ...WANTED, old: { ...OLD, [later]: "changed" } };
  const withPart = (value: string) => ({ ...GOOD, entries: [{ ...entryOf(OLD), [part]: value }] });
  for (const it of [OLD[part], "changed"]) {
    expect(judgeState(withPart(it), wanted).problems).toEqual([]);
  }
  expect(judgeState(withPart("else"), wanted).problems).toHaveLength(1);
  expect(judgeState(withPart("changed"), WANTED).problems).toHaveLength(1);
});

test("what a boot loader finds before a repair is of no use", () => {
  const broken = { ...GOOD, loader: "cannot be mounted" };
  expect(judgeState(broken, WANTED).loader).toEqual(["the boot loader: cannot be mounted"]);
  expect(judgeState(broken, { ...WANTED, isRepaired: true }).loader).toEqual([]);
});

test.each<[string, Partial<StateFacts>, readonly string[]]>([
  ["the file system", { entries: "cannot be mounted" }, ["cannot be mounted"]],
  ["no entry", { entries: [] }, ["nothing known is the default"]],
  [
    "an unknown default",
    { entries: [{ ...entryOf(OLD), deployment: "f.0" }] },
    ["nothing known is the default", "ostree-2.conf boots f.0"],
  ],
  [
    "a torn kernel and /etc of an entry that is not the default",
    { entries: [entryOf(OLD), { ...entryOf(NEW), kernel: "x", etc: "y" }] },
    ["ostree-2.conf (version 2): kernel is x", "ostree-2.conf (version 2): etc is y"],
  ],
  ["the loader's view", { loader: "EIO" }, ["the boot loader: EIO"]],
  ["no entry for the loader", { loader: [] }, ["the boot loader finds no entry"]],
  [
    "a kernel that the loader finds torn",
    { loader: [{ ...entryOf(OLD), kernel: "x" }] },
    ["the boot loader: ostree-2.conf: x, initramfs 1"],
  ],
  [
    "a kernel of one system with the initramfs of the other",
    { loader: [{ ...entryOf(OLD), kernel: NEW.kernel }] },
    ["the boot loader: ostree-2.conf: kernel 2, initramfs 1"],
  ],
  ["no deployment", { targets: { [TARGET]: "ENOENT" } }, ["the boot loader's default: ENOENT"]],
  ["no link to one", { targets: {} }, ["the boot loader's default: its link does not exist"]],
  ["marks", { marks: "status 1" }, ["/etc or /var: status 1"]],
  ["fsck", { fsck: "bad" }, ["ostree fsck: bad"]],
  ["a failing status", { booted: "status 1" }, ["bootc status: status 1"]],
  [
    "a status of the other system",
    { booted: { version: "2", commit: "2" } },
    ["bootc status says 2, 2"],
  ],
  [
    "an update that fails",
    { upgrade: "status 6", next: [entryOf(OLD)] },
    ["the next upgrade: status 6"],
  ],
  [
    "an update that is lost",
    { next: [entryOf(OLD)] },
    [`the next upgrade does not boot, but ${OLD.deployment}`],
  ],
  ["entries that are lost with it", { next: "ENOENT" }, ["after the next upgrade: ENOENT"]],
  ["fsck after it", { fsckNext: "bad" }, ["ostree fsck after the next upgrade: bad"]],
])("%s", (_what, facts, problems) => {
  const verdict = judgeState({ ...GOOD, ...facts }, WANTED);
  expect([...verdict.problems, ...verdict.loader]).toEqual(problems);
});
