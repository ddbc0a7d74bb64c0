/** Names the directory that keeps Durable Objects when persistence is on and no place is given. */

/** It lies below the root path of the worker. */
export const PERSIST_DEFAULT = ".mf/do";
