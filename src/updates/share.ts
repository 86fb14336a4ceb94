// Places a machine among all others by a hash, so that they differ and each stays where it is.
import { createHash } from "node:crypto";

/** Digits of the hash that count: 52 bits, which a double holds exactly. */
const DIGITS = 13;

/**
 * A number from 0 to below 1 that depends on the machine and on what it is for. Other tools can compute it:
 * `printf %s:%s "$MACHINE_ID" "$SUBJECT" | sha256sum | cut -c 1-13`, read as a hexadecimal number, divided by
 * 16 to the power of 13.
 */
export function shareOf(machineId: string, subject: string): number {
  const hash = createHash("sha256").update(`${machineId}:${subject}`).digest("hex");
  return Number.parseInt(hash.slice(0, DIGITS), 16) / 16 ** DIGITS;
}

/** A name for the machine that does not reveal its id, of the form of a UUID without hyphens. */
export function nodeIdOf(machineId: string): string {
  return createHash("sha256").update(`${machineId}:bootc-node`).digest("hex").slice(0, 32);
}
