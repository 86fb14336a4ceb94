import { expect, test } from "vitest";
import { examine } from "./cut-checks.ts";
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
