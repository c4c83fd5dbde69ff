//! Every text of the pages, in English and in Chinese side by side. Knows nothing of pages.

mod troubles;

use super::lang::{Lang, texts};

texts! {
    skip = "Skip to the content" | "跳到正文";
    pages = "Pages" | "页面";
    search = "Search" | "搜索";
    collections = "Collections" | "集合";
    jobs = "Jobs" | "任务";
    about = "About" | "关于";
    theme_auto = "Colours: as the system. Switch to dark" | "配色：跟随系统。切换为深色";
    theme_dark = "Colours: dark. Switch to light" | "配色：深色。切换为浅色";
    log_in = "Log in" | "登录";
    log_in_line = "This server wants its token: the text in the file that it was started with." | "此服务需要令牌：即启动时所用令牌文件中的文字。";
    token = "Token" | "令牌";
    log_in_wrong = "This is not the token. Copy it again from its file." | "令牌不对。请从令牌文件中重新复制。";
    log_in_later = "Too many wrong tokens came from here. Try again in a minute." | "来自此处的错误令牌过多，请一分钟后再试。";
    log_out = "Log out" | "退出登录";
    theme_light = "Colours: light. Switch to the system's" | "配色：浅色。切换为跟随系统";

    hero_title = "Find it by what it means" | "按意思查找";
    hero_line = "Ask in your own words, or show a photo. Everything stays on this machine." | "用自己的话提问，或给一张照片。一切都留在本机。";
    box_label = "What are you looking for?" | "想找什么？";
    ask_photos = "Drop a photo, or type a name" | "拖入照片，或输入名称";
    ask_captions = "Say what is in the photo, drop one, or both" | "描述照片内容，或拖入照片，或两者并用";
    ask_faq = "Ask a question" | "输入问题";
    your_photo = "Your photo" | "您的照片";
    remove_photo = "Search without this photo" | "移除这张照片";
    remove_item = "Search without this item" | "移除这个条目";
    like = "Like" | "类似";
    pick_photo = "Search by a photo" | "以图搜图";
    photo = "Photo" | "照片";
    within = "in" | "范围";
    filter = "Filter" | "筛选";
    tag = "Tag" | "标签";
    any = "any" | "不限";
    folder = "Folder" | "文件夹";
    drop_hint = "or drop or paste a photo anywhere" | "也可以把照片拖到或粘贴到页面任意位置";
    searching = "Searching…" | "正在搜索…";
    try_one = "Try one of these" | "试试这些";
    nothing_yet = "Nothing to search yet" | "还没有可搜索的内容";
    nothing_yet_line = "Add photos or a table of questions and answers. The originals are not changed." | "添加照片，或一张问答表。原件不会被改动。";
    photos = "Photos" | "照片";
    faq = "Questions and answers" | "问答";
    start_photos = "Show a photo and find those that look alike." | "给一张照片，找出相似的照片。";
    start_faq = "Ask in your own words and find the answer." | "用自己的话提问，找到答案。";
    add_photos = "Add photos" | "添加照片";
    add_faq = "Add a table" | "添加问答表";
    empty_collection = "This collection is empty." | "这个集合是空的。";
    being_filled = "It is being filled; the first items can be searched in a moment." | "正在添加内容，稍后即可搜索最先完成的部分。";
    any_language = "any" | "不限";
    add_to_it = "Add something to it" | "添加内容";
    more = "More like this" | "找相似";
    more_like(name) = "More like {name}" | "找与 {name} 相似的";
    matched = "Matched" | "匹配的问法";
    all_of_it = "All of it" | "全文";
    others = "Other candidates" | "其他候选";
    more_results = "More results" | "更多结果";
    earlier = "Previous" | "上一页";
    later = "Next" | "下一页";
    score = "Score" | "得分";
    none_title = "No match" | "没有匹配的结果";
    none_filter = "Nothing that passes the filter matches. Widen or remove the filter." | "筛选范围内没有匹配项。请放宽或取消筛选。";
    none_words = "No file name, folder or tag holds these words. Show a photo instead to search by what it looks like." | "文件名、文件夹和标签中都没有这些词。可以改为给出一张照片，按画面查找。";
    none_else = "There is nothing else in this collection." | "这个集合里没有更多内容了。";
    none_faq = "Ask it in other words, or choose another collection." | "换一种说法试试，或选择其他集合。";
    no_words_found = "Photos are compared by what they look like; the encoder (a ResNet) does not read words. File names, folders and tags were searched." | "照片按画面比较；编码器（ResNet）不读文字。这里搜索的是文件名、文件夹和标签。";
    truncated = "Your text is longer than the encoder reads; its end was left out." | "文字超出编码器能读的长度，末尾部分未计入。";
    encoder_not_reading(encoder) = "The encoder {encoder} does not read this script; the results may be poor. Use an encoder for this language." | "编码器 {encoder} 不读这种文字，结果可能不准。请改用支持该语言的编码器。";
    took(ms) = "{ms} ms" | "{ms} 毫秒";
    timings(decode, encode, search, load) = "decode {decode} ms, encode {encode} ms, search {search} ms, load {load} ms" | "解码 {decode} 毫秒，编码 {encode} 毫秒，检索 {search} 毫秒，读取 {load} 毫秒";
    as_words = "words in names, folders and tags" | "在名称、文件夹和标签中找词";
    as_captions = "captions, names and tags" | "文字说明、名称和标签";
    as_both = "photo and words" | "照片与文字";
    by_picture = "by its picture" | "按画面";
    by_caption = "by its caption" | "按说明";
    by_words = "by words in it" | "按字词";
    by_picture_caption = "by its picture and its caption" | "按画面和说明";
    as_photo = "photo" | "照片";
    as_item = "item" | "条目";
    as_text = "text" | "文字";
    understood(what, encoder, dim) = "{what}, {dim}-d {encoder}" | "{what}，{dim} 维 {encoder}";
    understood_short(what, encoder) = "{what}, {encoder}" | "{what}，{encoder}";

    no_collections = "There is no collection yet. Make one here, then add to it." | "还没有集合。请在此新建一个，再添加内容。";
    items = "Items" | "条目";
    vectors = "Vectors" | "向量";
    encoder = "Encoder" | "编码器";
    encoder_none = "chosen with the first items" | "添加首批内容时选定";
    starter_line = "A starter encoder that came with simile, so that nothing had to be fetched; a published one finds more." | "这是随 simile 附带的入门编码器，无需下载；已发布的编码器效果更好。";
    starter_more = "Get a better one" | "换用更好的";
    offer_better(encoder) = "A better encoder is on this machine: {encoder}." | "本机有更好的编码器：{encoder}。";
    offer_fetch(encoder) = "A better encoder can be fetched: {encoder}." | "可获取更好的编码器：{encoder}。";
    offer_fetch_size(encoder, size) = "A better encoder can be fetched: {encoder}, about {size}." | "可获取更好的编码器：{encoder}，约 {size}。";
    offer_fit(encoder, texts) = "There are {texts} texts now: {encoder} can weigh words by how rare they are among them." | "现有 {texts} 条文字，{encoder} 可按词的稀有程度加权。";
    offer_refit(encoder, before, texts) = "The word weights of {encoder} come from {before} texts; there are {texts} now." | "{encoder} 的词权重来自 {before} 条文字，现有 {texts} 条。";
    caption_encoder = "Encoder of the captions" | "说明文字的编码器";
    job_switch_captions = "Switching the captions' encoder" | "切换说明文字的编码器";
    switch_it = "Switch" | "切换";
    switch_fetch = "Fetch it and switch" | "获取并切换";
    switch_refit = "Fit it anew" | "重新计算权重";
    switch_other = "Use another encoder" | "换用其他编码器";
    switch_how = "Everything is encoded again while you go on searching; the new encoder takes over when all is done." | "所有内容会重新编码，期间可照常搜索；全部完成后自动启用新编码器。";
    switching_line(encoder, done, total) = "Being switched to {encoder}: {done} of {total} encoded. Searches use the old encoder until all are." | "正在切换到 {encoder}：已编码 {done} / {total}。全部完成前仍用旧编码器搜索。";
    switch_waits(n) = "{n} cannot be encoded again, because the original is gone or has changed. Put the originals back and go on, or let these items go." | "有 {n} 项因原件缺失或改变而无法重新编码。请放回原件后继续，或移除这些条目。";
    switch_go_on = "Go on" | "继续";
    switch_drop = "Remove them and switch" | "移除并切换";
    switch_cancel = "Keep the old encoder" | "保留旧编码器";
    index = "Index" | "索引";
    on_disk = "On disk" | "占用空间";
    created = "Created" | "创建时间";
    search_it = "Search it" | "搜索";
    new_collection = "New collection" | "新建集合";
    name = "Name" | "名称";
    holds = "It holds" | "存放";
    advanced = "Encoder and index" | "编码器与索引";
    encoder_auto = "the best on this machine" | "本机上最合适的";
    recipe_hint = "Flat is exact and right for most; IVF1024,Flat or HNSW32 for very many." | "Flat 为精确检索，适合多数情况；数量极大时可用 IVF1024,Flat 或 HNSW32。";
    create = "Create" | "创建";
    add_photos_title = "Add photos" | "添加照片";
    add_faq_title = "Add questions and answers" | "添加问答";
    add_photos_line_heic = "JPEG, HEIC, PNG, WebP, GIF, BMP and TIFF. Sub-folders are included; other files are left out." | "支持 JPEG、HEIC、PNG、WebP、GIF、BMP 和 TIFF。包含子文件夹；其他文件会被略过。";
    add_photos_line = "JPEG, PNG, WebP, GIF, BMP and TIFF. Sub-folders are included; other files are left out." | "支持 JPEG、PNG、WebP、GIF、BMP 和 TIFF。包含子文件夹；其他文件会被略过。";
    add_faq_line = "A CSV or JSONL file with the columns question and answer; id, language, tags and wordings are optional. Adding the same file again replaces its entries." | "CSV 或 JSONL 文件，含“问题”和“答案”两列；编号、语言、标签和相似问可选。再次添加同名文件会替换其中的条目。";
    add_captions_line = "A CSV among them with the columns photo and caption (also tags, date) gives the photos their words." | "其中若有带“照片”“说明”列（还可有标签、日期）的 CSV，照片即得到文字说明。";
    captions_path = "Table of captions (CSV), if it lies elsewhere" | "说明表（CSV），若在别处";
    captions = "Captions" | "文字说明";
    date = "Date" | "日期";
    date_from = "From" | "起";
    date_to = "To" | "止";
    choose_folder = "Choose a folder" | "选择文件夹";
    choose_files = "Choose photos" | "选择照片";
    choose_table = "Choose a table" | "选择表格";
    upload = "Upload" | "上传";
    folder_here = "A folder of this machine, indexed in place" | "直接索引本机上的文件夹";
    folder_here_line = "The photos stay where they are; nothing is copied." | "照片留在原处，不会复制。";
    path = "Path" | "路径";
    prune = "Remove items whose file is gone" | "移除文件已不存在的条目";
    index_it = "Index it" | "开始索引";
    prefix = "Prefix" | "前缀";
    prefix_more = "Put a prefix before the names" | "在名称前加前缀";
    prefix_line = "Needed only if two sources hold files of the same name." | "仅当两个来源中有同名文件时才需要。";
    prefix_offer = "Another source of this collection has files of the same name. Give this one a prefix and try again." | "此集合的另一来源中已有同名文件。请为这次添加填写前缀后重试。";
    as_prefix(prefix) = "as {prefix}/" | "前缀 {prefix}/";
    sources = "Where it came from" | "来源";
    root_folder = "folder" | "文件夹";
    root_table = "table" | "表格";
    root_upload = "upload" | "上传";
    root_api = "API" | "接口";
    what_is_in_it = "What is in it" | "内容";
    delete_collection = "Delete this collection" | "删除这个集合";
    delete_line(items) = "Its {items} items, their vectors and uploaded originals go for good. Photos of an indexed folder stay where they are." | "其中 {items} 个条目及其向量和上传的原件将永久删除。按文件夹索引的照片仍留在原处。";
    delete_it(name) = "Delete {name} for good" | "永久删除 {name}";
    see_collection = "See the collection" | "查看集合";
    key = "Key" | "键";
    tags = "Tags" | "标签";
    size = "Size" | "尺寸";
    format = "Format" | "格式";
    language = "Language" | "语言";
    wordings = "Further wordings" | "相似问";

    js_chosen = "{files} files, {size}." | "{files} 个文件，{size}。";
    js_skipped = "No pictures, left out: {skipped}." | "非图片，略过 {skipped} 个。";
    js_running = "{done} of {total} · {rate}/s · {left} left" | "{done} / {total} · 每秒 {rate} · 剩余 {left}";
    js_done = "Done: {indexed} new, {replaced} changed, {unchanged} unchanged, {rejected} rejected." | "完成：新增 {indexed}，更新 {replaced}，未变 {unchanged}，未收录 {rejected}。";
    js_failed = "Stopped: {why}" | "已停止：{why}";
    js_none = "There is no picture among the files chosen." | "所选文件中没有图片。";
    js_leave = "The upload is still running." | "上传仍在进行。";

    no_jobs = "No jobs yet. Adding photos or a table starts one." | "还没有任务。添加照片或问答表即会开始一个。";
    cancel = "Stop" | "停止";
    rejects = "Rejected" | "未收录";
    rejected_n(n) = "{n} rejected" | "{n} 个未收录";
    all_rejects = "All of them, as JSON" | "全部（JSON）";
    job_index = "Indexing" | "索引";
    job_upload = "Upload" | "上传";
    job_pull = "Getting an encoder" | "获取编码器";
    job_switch = "Switching the encoder" | "切换编码器";
    job_rebuild = "Rebuilding an index" | "重建索引";
    job_compact = "Compacting" | "整理空间";
    job_into(what, collection) = "{what}: {collection}" | "{what}：{collection}";
    state_queued = "in line" | "排队中";
    state_running = "running" | "进行中";
    state_done = "done" | "已完成";
    state_rejects = "done, with rejects" | "已完成，有未收录";
    state_failed = "failed" | "失败";
    state_cancelled = "stopped" | "已停止";
    state_interrupted = "interrupted" | "已中断";
    interrupted_line = "The program ended before this job did. What is done is kept. Indexing and downloads go on when it starts; an upload is to be started again." | "程序在任务完成前结束了，已完成的部分会保留。索引和下载会在下次启动时继续；上传需重新开始。";
    phase_waiting = "waiting" | "等待中";
    phase_encoder = "getting the encoder" | "正在获取编码器";
    phase_loading = "loading the encoder" | "正在载入编码器";
    phase_listing = "listing files" | "正在列出文件";
    phase_indexing = "indexing" | "正在索引";
    phase_compacting = "taking out what was deleted" | "正在清理已删除的数据";
    phase_building = "building the index" | "正在建立索引";
    phase_finished = "finished" | "已结束";
    of(done, total) = "{done} of {total}" | "{done} / {total}";
    per_second(rate) = "{rate}/s" | "每秒 {rate}";
    left(time) = "{time} left" | "剩余 {time}";
    report_indexed(n) = "{n} new" | "新增 {n}";
    report_unchanged(n) = "{n} unchanged" | "未变 {n}";
    report_replaced(n) = "{n} changed" | "更新 {n}";
    report_removed(n) = "{n} removed" | "移除 {n}";
    report_vanished(n) = "{n} gone but kept" | "文件已失 {n}（保留）";
    report_captioned(n) = "{n} captions" | "说明 {n}";
    report_skipped(n) = "{n} skipped" | "略过 {n}";
    report_skipped_kinds(n, kinds) = "{n} skipped ({kinds})" | "略过 {n}（{kinds}）";
    kind_video = "video" | "视频";
    report_switched(encoder, n) = "{encoder} took over, {n} encoded" | "已启用 {encoder}，编码 {n}";
    report_switch_waits(n) = "waits for your word on {n} that cannot be encoded again: see the collection" | "有 {n} 项无法重新编码，请在集合页面决定";
    nothing_new = "nothing new" | "没有新内容";
    began(at) = "started {at}" | "开始于 {at}";
    lasted(at, time) = "{at}, took {time}" | "{at}，用时 {time}";

    encoders = "Encoders" | "编码器";
    encoders_line = "An encoder turns a text or a photo into numbers that can be compared. It runs on this machine." | "编码器把文字或照片变成可比较的数字，在本机运行。";
    languages = "Languages" | "语言";
    licence = "Licence" | "许可";
    for_text(dim) = "for text, {dim}-d" | "用于文字，{dim} 维";
    for_photos(dim) = "for photos, {dim}-d" | "用于照片，{dim} 维";
    text_encoder = "for text" | "用于文字";
    photo_encoder = "for photos" | "用于照片";
    verified = "Verified: on these files it makes the same vectors as its original." | "已核实：在这些文件上得到的向量与原版一致。";
    not_verified(name) = "Not verified on this machine: simile models verify {name}" | "未在本机核实：simile models verify {name}";
    state_on_disk = "ready" | "可用";
    state_pullable = "can be got" | "可获取";
    state_broken = "cannot be used" | "不可用";
    pull = "Get it" | "获取";
    about_simile = "About simile" | "关于 simile";
    about_line = "simile finds photos and answers by meaning. It asks no other machine while it searches; only getting an encoder does." | "simile 按意思查找照片和答案。搜索时不访问任何其他机器，只有获取编码器时才会联网。";
    version = "Version" | "版本";
    data_folder = "Data folder" | "数据目录";
    try_api = "The API, to read and to try" | "接口说明，可直接试用";
    keys = "Keys" | "快捷键";
    key_box = "go to the search box" | "跳到搜索框";
    key_arrows = "move among the photos" | "在照片间移动";
    key_open = "open the photo" | "打开照片";
    key_more = "find more like it" | "找相似的照片";

    to_search = "To the search page" | "回到搜索页";
    fault_input = "That cannot be used" | "无法使用所给内容";
    fault_not_found = "Not found" | "没有找到";
    fault_conflict = "It clashes with what is there" | "与已有内容冲突";
    fault_too_large = "Too large" | "内容过大";
    fault_unsupported = "Not handled here" | "暂不支持";
    fault_forbidden = "Not allowed" | "不允许";
    fault_busy = "Busy right now" | "现在很忙";
    fault_unavailable = "Something is missing" | "缺少所需内容";
    fault_internal = "Something went wrong here" | "程序内部出错";
    wrong_truncated = "This photo is cut off" | "照片文件不完整";
    wrong_picture = "This is no picture" | "这不是图片";
    wrong_empty = "The query is empty" | "没有输入内容";
    wrong_long = "The text is too long" | "文字过长";
    wrong_encoder = "An encoder is missing" | "缺少编码器";
    wrong_collides = "Names clash" | "名称冲突";
    wrong_damaged = "This photo is damaged" | "照片文件已损坏";
    wrong_photo_large = "This photo is too large" | "照片过大";
    wrong_path = "There is nothing at this path" | "此路径下没有内容";
    wrong_folder = "This folder is empty" | "这个文件夹是空的";
    wrong_exists = "This collection exists already" | "同名集合已存在";
    wrong_name = "This name cannot be used" | "这个名称不能使用";
    wrong_gone = "This photo is no longer kept" | "这张照片已不再保留";
    wrong_item = "There is no such item" | "没有这个条目";
    wrong_faq_photo = "Questions and answers are asked with words" | "问答集合需用文字提问";
    wrong_page = "There is no such page" | "没有找到这个页面";
    wrong_recipe = "This index cannot be" | "无法建立这样的索引";
    wrong_collection = "There is no such collection" | "没有这个集合";
}

impl Lang {
    /// "1 photo", "12 photos".
    pub fn count_photos(self, n: u64) -> String {
        let shown = super::format::number(n);
        match self {
            Self::En if n == 1 => "1 photo".to_owned(),
            Self::En => format!("{shown} photos"),
            Self::Zh => format!("{shown} 张照片"),
        }
    }

    /// "1 answer", "5 answers".
    pub fn count_answers(self, n: u64) -> String {
        let shown = super::format::number(n);
        match self {
            Self::En if n == 1 => "1 answer".to_owned(),
            Self::En => format!("{shown} answers"),
            Self::Zh => format!("{shown} 个答案"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn han(text: &str) -> bool {
        text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
    }

    #[test]
    fn no_text_is_left_untranslated() {
        for (name, en, zh) in ALL {
            assert!(!en.is_empty() && !han(en), "{name}: {en}");
            // Figures alone may look the same in both.
            let bare = zh.replace(|c: char| !c.is_alphabetic(), "");
            assert!(han(zh) || bare.is_ascii() && zh.contains('{'), "{name}: {zh}");
        }
    }

    #[test]
    fn both_languages_name_the_same_values() {
        fn places(text: &str) -> Vec<&str> {
            let mut found: Vec<&str> =
                text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            found.sort_unstable();
            found
        }
        for (name, en, zh) in ALL {
            assert_eq!(places(en), places(zh), "{name}");
        }
    }
}
