// Search with all parameters in the call. The C API has none for HNSW, and sets `efSearch` only on the shared index.

#include <cstdint>
#include <cstdio>
#include <exception>

#include <faiss/Index.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/impl/IDSelector.h>

namespace {

void search(const faiss::Index& index, int64_t n, const float* x, int64_t k, size_t nprobe, int ef_search,
            faiss::IDSelector* selector, float* scores, int64_t* rows) {
    if (dynamic_cast<const faiss::IndexIVF*>(&index)) {
        faiss::SearchParametersIVF params;
        params.nprobe = nprobe;
        params.sel = selector;
        index.search(n, x, k, scores, rows, &params);
    } else if (dynamic_cast<const faiss::IndexHNSW*>(&index)) {
        faiss::SearchParametersHNSW params;
        params.efSearch = ef_search;
        params.sel = selector;
        index.search(n, x, k, scores, rows, &params);
    } else {
        faiss::SearchParameters params;
        params.sel = selector;
        index.search(n, x, k, scores, rows, &params);
    }
}

} // namespace

/// 0, or 1 with the exception's text in `message` (at most `room` bytes, NUL included).
extern "C" int simile_faiss_search(const void* index, int64_t n, const float* x, int64_t k, size_t nprobe,
                                   int ef_search, const uint8_t* bitmap, size_t bitmap_bytes, float* scores,
                                   int64_t* rows, char* message, size_t room) {
    try {
        faiss::IDSelectorBitmap selector(bitmap_bytes, bitmap);
        search(*static_cast<const faiss::Index*>(index), n, x, k, nprobe, ef_search, bitmap ? &selector : nullptr,
               scores, rows);
        return 0;
    } catch (const std::exception& e) {
        std::snprintf(message, room, "%s", e.what());
    } catch (...) {
        std::snprintf(message, room, "unknown exception");
    }
    return 1;
}
