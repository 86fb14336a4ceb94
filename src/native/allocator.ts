// The C library's allocator.
import { openLibrary } from "./ffi.ts";

const FUNCTIONS = { malloc_trim: { arguments: ["u64"], return: "i32" } } as const;

/**
 * Gives memory back to the kernel that is free by now. glibc keeps it otherwise, between blocks that are in
 * use. Does nothing where there is no glibc to call.
 */
export function returnFreeMemory(): void {
  openLibrary(null, FUNCTIONS)?.functions.malloc_trim(0n);
}
