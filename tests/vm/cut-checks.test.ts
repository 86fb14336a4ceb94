import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { examine, readInstalledEsp } from "./cut-checks.ts";
import type { Machine } from "./machine.ts";

const STATUS = JSON.stringify({
  status: { booted: { image: { version: "cut1" } }, staged: { image: { version: "cut2" } } },
});

/** A machine that is intact, but for the answers in `other`; those that are undefined are failures. */
function machineWith(other: Readonly<Record<string, string | undefined>> = {}): Machine {
  const answers: Readonly<Record<string, string | undefined>> = {
    ...other,
    "status --json": STATUS,
    "cut-mark /var/cut-mark": "cut 1\ncut 1\n",
    "/etc/follows": "cut1\n",
  };
  const must = async (command: string) => {
    const key = Object.keys(answers).find((it) => command.includes(it));
    const answer = key === undefined ? "" : answers[key];
    if (answer === undefined) throw new Error(`\`${command}\` failed`);
    return answer;
  };
  const nothing = async () => undefined;
  return {
    ...{ bootedEntry: "", consolePath: "", bootMs: 0, hasEnded: () => false },
    ...{ waitForEnd: nothing, reboot: nothing, cut: nothing },
    must,
    run: async (command) => ({ status: 0, stdout: await must(command), stderr: "" }),
    sshCommand: () => ["false", []],
  };
}

async function problemsOf(machine: Machine): Promise<readonly string[]> {
  const { problems } = await examine(machine, {
    ...{ mark: "cut 1", nextMark: "cut 2", allowed: ["cut1"], esp: "" },
    updates: {
      newest: () => "cut2",
      prepare: () => undefined,
      release: async () => "cut3",
      settle: async () => undefined,
    },
    isRepositoryRead: true,
  });
  return problems;
}

test("nothing is wrong with a machine that is intact", async () => {
  expect(await problemsOf(machineWith())).toEqual([]);
});

test.each([
  ["a mark that is lost", { "cat /etc/cut-mark": "cut 1\n" }, ["/etc and /var"]],
  ["a file system that is read-only", { tee: undefined }, [/^the next mark: .*failed$/]],
  ["another system", { "bootc status": STATUS.replace("cut1", "cut0") }, [/booted/, /follows/]],
  ["an upgrade that fails", { "bootc upgrade": undefined }, [/^the next upgrade: .*failed$/]],
  ["a unit that has failed", { "systemctl --failed": "a.service" }, ["failed units"]],
  ["an ESP with other files", { "find . -type f": "abc  ./EFI/BOOT" }, ["the ESP"]],
])("%s is a problem", async (_, other, want) => {
  const problems = await problemsOf(machineWith(other));
  expect(problems).toEqual(want.map((it) => expect.stringMatching(it)));
});

test("a machine that does not answer any more has a problem for each check, and is no error", async () => {
  expect(await problemsOf(machineWith({ "": undefined }))).toHaveLength(9);
});

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "bootc-test-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("the ESP of the installation is kept for runs that continue", async () => {
  const baseline = { path: join(dir, "a.esp"), isRequired: true };
  const installed = machineWith({ "find . -type f": "abc  ./EFI/BOOT" });
  expect(await readInstalledEsp(installed, { ...baseline, isContinued: false })).toMatch("abc");
  expect(await readFile(baseline.path, "utf8")).toBe("abc  ./EFI/BOOT");
  const later = machineWith({ "find . -type f": "def  ./EFI/BOOT" });
  expect(await readInstalledEsp(later, { ...baseline, isContinued: true })).toMatch("abc");
});

test.each([
  [
    "without an ESP, where there must be one",
    { isContinued: false, isRequired: true },
    "not found",
  ],
  ["that continues without a list", { isContinued: true, isRequired: false }, "install again"],
])("a run %s does not begin", async (_, options, want) => {
  const baseline = { path: join(dir, "a.esp"), ...options };
  await expect(readInstalledEsp(machineWith(), baseline)).rejects.toThrow(want);
});

test("a machine whose boot loader the harness plays may have no ESP", async () => {
  const baseline = { path: join(dir, "a.esp"), isContinued: false, isRequired: false };
  expect(await readInstalledEsp(machineWith(), baseline)).toBe("");
});
