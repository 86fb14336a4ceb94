import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { readSessions } from "./logind.ts";

// What Debian 13 has for one login with a terminal and one without.
const TABLE =
  "  1   0 root -    502    user          -   no   -\n  3   0 root -    647    user - no -\n";
const STATS = {
  502: "502 (sshd-session) S 498 502 502 0 -1 4194560 895",
  647: "647 (sshd-session) S 498 647 647 0 -1 4194560 975",
  657: "657 (a (b) c) S 656 657 657 34816 657 4194560 386",
};

const LIST = "? loginctl list-sessions --output=json --no-legend --no-pager";
const SLICE = "sys/fs/cgroup/user.slice/user-0.slice";

function makeRoot() {
  const root = mkdtempSync(join(tmpdir(), "bootc-sessions-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  return { root, put };
}

async function terminalsOf(root: string) {
  const { ctx } = scriptedContext(root, [[LIST, TABLE]]);
  return (await readSessions(ctx)).map((it) => it.terminal);
}

test("a login by ssh has the terminal of its processes", async () => {
  const { root, put } = makeRoot();
  put(`${SLICE}/session-1.scope/cgroup.procs`, "502\n");
  // 648 has just ended.
  put(`${SLICE}/session-3.scope/cgroup.procs`, "647\n648\n657\n");
  for (const [pid, text] of Object.entries(STATS)) put(`proc/${pid}/stat`, `${text} 0 0\n`);
  expect(await terminalsOf(root)).toEqual([undefined, "pts/0"]);
});

test.each([
  ["tty1", 0x0401],
  ["tty63", 0x043f],
  ["device 4:64", 0x0440],
  ["device 229:0", 0xe500],
  ["pts/255", 0x88ff],
  ["pts/256", 0x8900],
])("a terminal is called %s", async (name, device) => {
  const { root, put } = makeRoot();
  put(`${SLICE}/session-1.scope/cgroup.procs`, "502\n");
  put("proc/502/stat", `502 (login) S 1 502 502 ${device} 502 4194560 895\n`);
  expect(await terminalsOf(root)).toEqual([name, undefined]);
});

test("a process that ends while it is asked about has no terminal", async () => {
  const { root, put } = makeRoot();
  put(`${SLICE}/session-1.scope/cgroup.procs`, "502\n657\n");
  put("proc/657/stat", `${STATS[657]}\n`);
  // Opened while its process lives, the file answers every read after that with ESRCH.
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const ended = openSync(`/proc/${child.pid}/stat`, "r");
  onTestFinished(() => closeSync(ended));
  child.kill("SIGKILL");
  await once(child, "close");
  mkdirSync(join(root, "proc/502"));
  symlinkSync(`/proc/self/fd/${ended}`, join(root, "proc/502/stat"));
  expect(() => readFileSync(join(root, "proc/502/stat"))).toThrow("ESRCH");
  expect(await terminalsOf(root)).toEqual(["pts/0", undefined]);
});
