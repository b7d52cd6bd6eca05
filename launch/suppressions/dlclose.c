// Leaves every library where it is, so that leaks that Open MPI's plug-ins leave behind, which it closes at the end of a job, are told from
// ours: reachable from their own data, or named after them. Preloaded by launch/sanitize address.
int dlclose(void *library) {
    (void)library;
    return 0;
}
