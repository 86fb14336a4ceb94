// Whether this run of the tests has the door to the C library shut: everything else has to pass as before.
import { type TestAPI, test } from "vitest";

export const isDoorShut = Boolean(process.env.BOOTC_WITHOUT_FFI);
/** Why a row of a table of tests is skipped then. */
export const NEEDS_DOOR = "needs the door to the C library";

/** For tests of what only works through the door. */
export const testThroughDoor = test.skipIf(isDoorShut) as TestAPI;
