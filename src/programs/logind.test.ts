import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
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

test("a login by ssh has the terminal of its processes", async () => {
  const root = mkdtempSync(join(tmpdir(), "bootc-sessions-"));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  try {
    const slice = "sys/fs/cgroup/user.slice/user-0.slice";
    put(`${slice}/session-1.scope/cgroup.procs`, "502\n");
    // 648 has just ended.
    put(`${slice}/session-3.scope/cgroup.procs`, "647\n648\n657\n");
    for (const [pid, text] of Object.entries(STATS)) put(`proc/${pid}/stat`, `${text} 0 0\n`);
    const call = "? loginctl list-sessions --output=json --no-legend --no-pager";
    const { ctx } = scriptedContext(root, [[call, TABLE]]);
    const terminals = (await readSessions(ctx)).map((it) => it.terminal);
    expect(terminals).toEqual([undefined, "pts/0"]);
  } finally {
    rmSync(root, { recursive: true });
  }
});
