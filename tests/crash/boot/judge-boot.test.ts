import { expect, test } from "vitest";
import type { Expectation, KnownSystem } from "../judge.ts";
import { type BootFacts, judgeBoot } from "./judge-boot.ts";

function system(version: string): KnownSystem {
  return {
    ...{ version, deployment: `${version.repeat(64)}.0`, tree: `tree ${version}` },
    ...{ etc: `etc ${version}`, origin: "origin" },
    ...{ kernel: `kernel ${version}`, initramfs: `initramfs ${version}` },
  };
}

const entryOf = ({ version: _, ...it }: KnownSystem) => ({
  ...it,
  file: "ostree-2.conf",
  target: "/ostree/boot.1/x",
});

const [OLD, NEW, NEXT] = [system("1"), system("2"), system("3")];
const WANTED: Expectation = {
  ...{ old: OLD, new: NEW, others: [], allowed: ["old", "new"], isRepaired: false, next: NEXT },
};

const statusOf = (version: string, checksum: string) =>
  JSON.stringify({ status: { booted: { image: { version }, ostree: { checksum } } } });

const ANSWERS = {
  running: "running",
  failed: "",
  status: statusOf("1", "1".repeat(64)),
  marks: "",
  upgrade: "",
};

type Answers = Readonly<
  Record<string, string | { readonly status: number; readonly text: string }>
>;

function facts(answers: Answers = {}, others: Partial<BootFacts> = {}): BootFacts {
  const all = Object.entries({ ...ANSWERS, ...answers });
  return {
    started: { kernel: OLD.kernel, initramfs: OLD.initramfs },
    entries: [entryOf(OLD)],
    fsck: "",
    sections: new Map(
      all.map(([name, it]) => [name, typeof it === "string" ? { status: 0, text: it } : it]),
    ),
    ...{ isOff: true, console: "", next: [entryOf(NEXT)] },
    ...others,
  };
}

test("a system that runs, is updated and goes off is right", () => {
  expect(judgeBoot(facts(), WANTED)).toEqual({ booted: "old", problems: [] });
  const started = { kernel: NEW.kernel, initramfs: NEW.initramfs };
  const newer = facts({ status: statusOf("2", "2".repeat(64)) }, { started });
  expect(judgeBoot(newer, WANTED)).toEqual({ booted: "new", problems: [] });
});

const failed = (text: string) => ({ status: 1, text });

test.each<[string, BootFacts, string]>([
  [
    "parts of two systems",
    facts({}, { started: { kernel: OLD.kernel, initramfs: NEW.initramfs } }),
    "the boot loader starts neither the old nor the new system",
  ],
  [
    "a boot loader that starts what is superseded",
    facts(
      { status: statusOf("2", "2".repeat(64)) },
      { started: { kernel: NEW.kernel, initramfs: NEW.initramfs } },
    ),
    "the boot loader starts new",
  ],
  ["another kernel's system", facts({ status: statusOf("2", "2".repeat(64)) }), "bootc status "],
  ["a degraded system", facts({ running: failed("degraded") }), "systemd: status 1: degraded"],
  ["a failed unit", facts({ failed: "a.service" }), "failed units: a.service"],
  ["no status", facts({ status: failed("broken") }), "bootc status: status 1: broken"],
  ["a warning", facts({ status: "warning\n{}" }), "bootc status: it printed warning"],
  ["a lost file", facts({ marks: failed("/etc/mark differs") }), "/etc or /var: status 1"],
  ["a damaged repository", facts({}, { fsck: "missing" }), "ostree fsck: missing"],
  ["no update", facts({ upgrade: failed("no") }), "the next upgrade: status 1: no"],
  [
    "an update that does not boot",
    facts({}, { next: [entryOf(OLD)] }),
    "the next upgrade does not boot, but ",
  ],
  ["a damaged file", facts({}, { entries: [{ ...entryOf(OLD), tree: "x" }] }), "ostree-2.conf "],
  ["an unreadable disk", facts({}, { entries: "cannot be read" }), "cannot be read"],
  ["a machine that hangs", facts({}, { isOff: false, console: "so far" }), "the machine did not"],
  ["no entry", facts({}, { started: "it finds no entry" }), "the boot loader: it finds no entry"],
])("%s is a problem", (_, found, problem) => {
  const { problems } = judgeBoot(found, { ...WANTED, allowed: ["old"] });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${problem}`));
});

test("an answer that is missing is a problem of its own", () => {
  const { problems } = judgeBoot(facts({}, { sections: new Map(), isOff: false }), WANTED);
  expect(problems.filter((it) => it.endsWith("it was not asked"))).toHaveLength(5);
});

test("a system that gets no update is not judged by one", () => {
  const { upgrade: _, ...answers } = ANSWERS;
  const { next: __, ...found } = facts();
  const sections = new Map(
    Object.entries(answers).map(([name, text]) => [name, { status: 0, text }]),
  );
  expect(judgeBoot({ ...found, sections }, WANTED).problems).toEqual([]);
});

test("a system that must not run yet is a problem", () => {
  const found = facts(
    { status: statusOf("2", "2".repeat(64)) },
    {
      started: NEW,
      entries: [entryOf(NEW)],
    },
  );
  expect(judgeBoot(found, { ...WANTED, allowed: ["old"] }).problems).toEqual([
    "the default is new",
    "the boot loader starts new",
  ]);
});
