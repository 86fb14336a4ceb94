// One machine of a fleet, as a process: takes a slot, is down for a moment, and gives the slot back, again and again.
// Its arguments are a number, a directory that all machines share, and addresses of servers.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createContext } from "../../src/system/run.ts";
import { DEFAULT_SETTINGS } from "../../src/updates/config/settings.ts";
import { returnSlot, takeSlot } from "../../src/updates/machine/fleet-lock.ts";
import { REAL_SURROUNDINGS } from "../../src/updates/machine/surroundings.ts";
import { DOWN_FILE } from "./fleet.ts";

const [, , number = "", dir = "", ...urls] = process.argv;
const down = join(dir, DOWN_FILE);
const ctx = createContext({ root: dir, env: {} });
const members = urls.map((url) => ({
  settings: { ...DEFAULT_SETTINGS, "updates.fleet_lock.base_url": url },
  machineId: number.padStart(32, "0"),
  surroundings: REAL_SURROUNDINGS,
}));
const anyMember = () => members[Math.floor(Math.random() * members.length)] ?? members[0];

async function reboot(): Promise<void> {
  const member = anyMember();
  if (member === undefined || (await takeSlot(ctx, member)) !== undefined) {
    return await sleep(Math.random() * 300);
  }
  // Fails if another machine is down.
  writeFileSync(down, number, { flag: "wx" });
  await comeUp();
}

async function comeUp(): Promise<void> {
  await sleep(Math.random() * 20);
  rmSync(down);
  for (;;) {
    const member = anyMember();
    if (member !== undefined && (await returnSlot(ctx, member)) === undefined) return;
  }
}

// The machine was cut off while it was down, and boots now.
if (readDown() === number) await comeUp();
for (;;) await reboot();

function readDown(): string | undefined {
  try {
    return readFileSync(down, "utf8");
  } catch {
    return undefined; // no machine is down
  }
}
