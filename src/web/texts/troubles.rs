//! What is wrong, in Chinese, by stable code. In English an error speaks for itself, and the API speaks English.

use crate::web::lang::Lang;

/// The sentence without the item: what happened, and what to do.
const CHINESE: &[(&str, &str)] = &[
    ("access.attempts", "来自此地址的错误令牌过多；请一分钟后再试。"),
    ("access.token", "此服务需要令牌；请先登录。"),
    ("caption.ambiguous", "有几张照片都叫这个名字；请写出它在文件夹中的路径。"),
    ("caption.duplicate", "表中已有一行说明同一张照片；请删去其中一行。"),
    ("caption.no_name", "这一行没有写明是哪张照片；请填上照片的路径或文件名。"),
    ("caption.no_photo", "这里没有这张照片；请写出它在文件夹中的路径。"),
    ("caption.too_long", "说明文字过长；请缩短。"),
    ("captions.of_faq", "说明只能配照片，而这里是问答；请去掉说明。"),
    ("collection.exists", "已有同名集合；请换个名称，或直接向它添加内容。"),
    ("collection.kind", "这个集合存放的是另一类内容，或没有这种集合；请选择其他集合。"),
    ("collection.no_encoder", "这个集合还没有编码器；请先添加内容。"),
    ("collection.other_encoder", "这个集合是用另一编码器编码的；请沿用它，或先在集合页面换用编码器。"),
    ("collection.unknown", "没有这个集合；请检查名称，或添加内容来新建。"),
    ("date.unreadable", "这不是日期；请写成 2024、2024-05、2024-05-01 或 2024-05-01 18:30。"),
    ("device.no_card", "没有可用的显卡；请检查显卡和驱动，或改用处理器。"),
    ("device.not_built", "这个 simile 没有编入显卡支持；请用带该功能的版本，或改用处理器。"),
    ("disk.full", "磁盘已满；请腾出空间后再试。"),
    ("disk.quota", "数据目录已达到允许的大小；请删除一些内容，或提高限额。"),
    ("embed.texts", "没有给出文字，或一次给得太多；请调整后再试。"),
    ("encoder.built_in", "这个编码器内置于程序，没有文件；无需核实，也无法移除。"),
    ("encoder.compute", "编码器计算失败；详情见程序日志。"),
    ("encoder.crop", "图片尺寸与编码器要求不符；请用它自己的预处理。"),
    ("encoder.exists", "数据目录中已有同名编码器；请先移除，或换个名称添加。"),
    ("encoder.in_use", "有集合正在使用这个编码器；请先为它们换用其他编码器。"),
    ("encoder.modality", "这个编码器不读这类内容；请选择合适的编码器。"),
    ("encoder.no_pairs", "这个编码器一次只读一段文字；请选用 BERT 或 ALBERT。"),
    ("encoder.none", "本机没有能读取这些内容的编码器；请到“关于”页面获取一个。"),
    ("encoder.not_on_disk", "这个编码器还不在本机；请到“关于”页面获取。"),
    ("encoder.not_pulled", "无法获取这个编码器；请检查网络后再试。"),
    ("encoder.not_removable", "它所在的文件夹不归 simile 管理；请自行移除。"),
    ("encoder.other_space", "本机上的编码器不是当初编码所用的那一个；请放回原来的文件夹，或重新索引。"),
    ("encoder.parity", "它算出的向量与原版不符；请重新获取，或报告此问题。"),
    ("encoder.pulling", "正在获取这个编码器；请等它完成。"),
    ("encoder.tokens", "文字分成的词元不是这个编码器所能读的；请换一段文字，或重新获取编码器。"),
    ("encoder.unknown", "没有这个编码器；“关于”页面列出了全部编码器。"),
    ("encoder.unusable", "这个文件夹里没有可用的编码器；请检查其中的文件。"),
    ("encoder.vector", "编码器没有给出可用的向量；它的权重已损坏，请重新获取。"),
    ("faq.answer_empty", "答案是空的；请填写，或删去这一行。"),
    ("faq.duplicate_id", "同一编号或同一问题已经出现过；请合并，或给每条不同的编号。"),
    ("faq.question_empty", "问题是空的；请填写，或删去这一行。"),
    ("filter.unknown_field", "没有这个筛选项；请删去或改正。"),
    ("folder.empty", "这个文件夹是空的；请给出有照片的文件夹。"),
    (
        "host.not_allowed",
        "此服务不以这个名字应答；请用 127.0.0.1 或 localhost 访问，或以 --allow-host 启动。",
    ),
    ("hub.denied", "对方没有这些文件或不允许读取；若为私有模型，请设置 HF_TOKEN。"),
    ("hub.not_found", "对方没有这些文件；模型可能已移走或撤回。"),
    ("hub.offline", "已设置 HF_HUB_OFFLINE，因此不会联网获取；请取消该设置后再试。"),
    ("hub.size", "下载文件的大小与应有的不符；请再次获取。"),
    ("hub.stalled", "下载中断；请再次获取，会从中断处继续。"),
    ("hub.status", "对方的应答无法理解；请稍后再试，或换用其他 HF_ENDPOINT。"),
    ("hub.unreachable", "对方没有应答；请检查网络，或把 HF_ENDPOINT 设为镜像。"),
    ("index.build_failed", "建立索引失败；在此期间仍会逐一比较，搜索不受影响。"),
    ("index.cancelled", "建立索引已停止；在此期间仍会逐一比较，搜索不受影响。"),
    ("index.damaged", "索引文件已损坏；会自动重建。"),
    ("index.faiss", "Faiss 报告错误；在此期间仍会逐一比较，搜索不受影响。"),
    ("index.io", "索引文件无法读写；请检查磁盘和权限。"),
    ("index.missing", "索引文件不存在；会自动重建。"),
    ("index.processor", "此处理器没有 AVX2，无法使用 Faiss；搜索会逐一比较。"),
    ("index.stale", "索引文件已过时；会自动重建。"),
    ("item.no_vector", "这个条目没有向量；请重新索引它的来源。"),
    ("item.parts", "这个条目的部分过多；请拆分。"),
    ("item.unknown", "集合中没有这个条目；集合页面列出了全部条目。"),
    ("job.interrupted", "程序多次在此任务中意外结束，因此不再继续；请查看日志后重新开始。"),
    ("job.panicked", "任务因程序内部错误而停止；详情见程序日志。"),
    ("job.unknown", "没有这个任务；任务页面列出了全部任务。"),
    ("key.collides", "这些名称已属于另一来源；请为这次添加填写前缀。"),
    ("key.nul", "名称中含有 NUL 字符；请去掉。"),
    ("key.path", "这个路径不能用作名称；请用不含 “.”、“..” 和空段的相对路径。"),
    ("key.prefix", "这个前缀不能使用；请用不含 “.”、“..” 和空段的名称。"),
    ("library.read_only", "需要以可写方式打开数据目录；请停止占用它的程序，或使用那个程序的地址。"),
    ("library.unknown", "出了未知的问题；详情见程序日志。"),
    ("method.not_allowed", "此地址不支持这种操作；请检查地址。"),
    ("model.changed", "文件与当初的不同；请移除这个编码器后重新获取。"),
    ("model.config", "编码器的配置不正确；请改正它的 config.json。"),
    ("model.damaged", "权重文件不完整；请重新获取或复制。"),
    ("model.hash", "文件的校验和不符，途中损坏或被替换；请重新获取。"),
    ("model.incomplete", "缺少所需文件；这不是该模型。"),
    ("model.io", "文件无法读写；请检查权限和空间。"),
    ("model.legacy_pickle", "这是 PyTorch 1.6 之前的格式，无法读取；请用新版 PyTorch 重新保存。"),
    ("model.tensor_missing", "权重中缺少张量；权重与所述结构不符。"),
    ("model.tensor_shape", "权重中张量的形状不符；权重与配置不是一套。"),
    ("model.tensor_type", "权重中有无法读取的数据类型；请存为 F32 或 F16。"),
    ("model.tensorflow", "这里是 TensorFlow 的权重，无法读取；请按 simile models list 给出的命令转换。"),
    ("model.tokenizer", "分词器文件无法理解；请重新获取模型。"),
    ("model.unfit", "得到的文件无法使用；请换一个来源。"),
    ("model.unreadable", "文件无法读取；请检查模型文件夹，或重新获取。"),
    ("name.character", "名称含有不能使用的字符；请用字母、数字、“-”、“_”和“.”，开头不用“.”或“-”。"),
    ("name.empty", "名称是空的；请至少写一个字符。"),
    ("name.too_long", "名称过长；请缩短。"),
    ("ngram.damaged", "词权重不完整或被改动；请重新计算。"),
    ("ngram.version", "词权重是另一版本的；请重新计算。"),
    ("origin.foreign", "这个请求来自其他网站的页面；请打开 simile 自己的页面再试。"),
    ("path.missing", "此路径下没有内容；请检查拼写。"),
    ("path.relative", "服务不知道您所在的文件夹；请给出绝对路径。"),
    ("path.special", "这不是普通的文件或文件夹；请给出文件夹、照片或表格。"),
    ("path.too_large", "文件过大；请拆成几个。"),
    ("path.unknown", "此地址下没有页面；请检查地址。"),
    ("path.unreadable", "无法读取；请检查权限。"),
    ("photo.changed", "照片已与索引时不同；请重新索引它的文件夹。"),
    ("photo.damaged", "照片已损坏；请从来源重新复制，或打开后另存。"),
    ("photo.empty", "文件是空的；请从来源重新复制。"),
    ("photo.not_a_picture", "这不是图片；请给出 JPEG、PNG、WebP、GIF、BMP 或 TIFF 文件。"),
    ("photo.original", "无法读取原件；它还在原处吗？"),
    ("photo.too_large", "照片的字节数或像素超出限制；请缩小后再试。"),
    ("photo.truncated", "文件在图片结束之前就中断了；请从来源重新复制。"),
    ("photo.unsupported", "这种格式在此无法读取；请另存为 JPEG。"),
    ("pip.failed", "pip 无法获取所需的包；请检查网络和 pip 的设置。"),
    ("pip.missing", "没有 pip；请安装 Python 的 pip，在 Debian 上用 apt install python3-pip。"),
    ("pip.stalled", "pip 很久没有反应；请检查网络和 pip 的设置。"),
    ("prune.refused", "没有移除：文件夹不见了、是空的，或大半文件已不在；如确要移除，请在命令行加 --force。"),
    ("pull.stopped", "获取已停止；再次获取会从中断处继续。"),
    ("query.both_of_faq", "问答集合可按文字或条目查找，不能两者并用。"),
    ("query.empty", "没有输入内容；请至少输入一个词。"),
    ("query.k", "结果数目不能使用；请至少要 1 个，更多的请翻页。"),
    ("query.min_score", "最低得分不是有限的数；得分在 -1 与 1 之间。"),
    ("query.not_an_faq", "这个集合存放照片，没有答案；请改用搜索。"),
    ("query.not_kept", "无法保留您的照片；请检查磁盘和权限。"),
    ("query.photo_gone", "您的照片已不再保留；请重新给出。"),
    ("query.photo_of_faq", "问答集合不能用照片提问；请输入文字。"),
    ("query.too_long", "文字过长；请缩短。"),
    ("recipe.dimension", "这种索引不适合此维数的向量；请换一种。"),
    ("recipe.too_few_rows", "条目太少，无法建立这种索引；请用 Flat，或添加更多内容。"),
    ("recipe.unknown", "没有这种索引；可用 Flat、IVF256,Flat、IVF256,PQ64、IVF256,SQ8 或 HNSW32。"),
    ("request.body", "发送的内容无法接收；请减少后再试。"),
    ("request.collection", "集合已由地址指明；请去掉这一项。"),
    ("request.field", "这一项的值不正确；请改正。"),
    ("request.form", "表单不正确；请重新发送。"),
    ("request.json", "这不是正确的 JSON；请改正。"),
    ("request.limit", "数目超出范围；请改正。"),
    ("request.multipart", "表单不正确；请重新发送。"),
    ("request.path", "地址不正确；请改正。"),
    ("request.query", "地址中的参数不正确；请改正。"),
    ("request.slow", "内容传得太慢；请换好一些的网络再发一次。"),
    ("request.too_large", "发送的内容超出限制；请减少，或直接索引本机文件夹。"),
    ("request.too_many", "表单中的文件过多；请分几次发送。"),
    ("request.unknown_field", "没有这一项；请删去或改正。"),
    ("search.nothing_asked", "没有说明要找什么；请输入文字或给出照片。"),
    ("search.too_many", "一次只能用一种方式查找，或照片加文字；请去掉其他的。"),
    ("server.busy", "现在请求太多；请过几秒再试。"),
    ("server.gone", "simile 没有应答；请看它是否还在运行。"),
    ("server.internal", "程序内部出错；详情见程序日志。"),
    ("server.slow", "没能及时给出回答；请再试，或查看占用机器的任务。"),
    ("space.id", "这不是向量空间的编号。"),
    ("store.absent", "没有数据目录；请先添加内容。"),
    ("store.damaged", "数据目录已损坏；请用备份恢复，或移走后重新索引。"),
    ("store.database", "数据库报告错误；请检查磁盘后重新启动。"),
    ("store.full", "磁盘已满；请腾出空间后再试，已确认的内容不会丢失。"),
    ("store.io", "磁盘读写出错；请检查磁盘后重新启动。"),
    ("store.locked", "另一个 simile 正在写这个数据目录；请停止它，或使用它的地址。"),
    ("store.newer_version", "数据目录由更新版本的 simile 写成；请使用那个版本。"),
    ("store.not_a_folder", "这是一个文件，不是文件夹；请用 --data 另给一个文件夹。"),
    ("store.older_version", "数据目录是旧格式；请用可写方式打开一次。"),
    ("store.opened_for_reading", "数据目录以只读方式打开；请以可写方式打开。"),
    ("store.read_only", "无法写入数据目录；请修改其所有者或权限。"),
    ("store.segment_gone", "数据已被整理到别处；请再试一次。"),
    ("store.space_id", "这不是向量空间的编号。"),
    ("switch.lacks", "还有内容没有新编码器的向量；请让切换继续。"),
    ("switch.none", "这个集合没有在切换编码器；请先开始切换。"),
    ("switch.other", "这个集合正在切换到另一编码器；请等它完成，或先取消。"),
    ("switch.same", "这个集合已在使用该编码器；请选择其他的。"),
    ("table.empty", "表中没有条目；请写一行标题，下面至少一行内容。"),
    ("table.encoding", "表中有无法读取的字节；请把文件存为 UTF-8。"),
    ("table.json", "这一行不是正确的 JSON；请改正，每行写一个 JSON 对象。"),
    ("table.json_type", "这一行中某项的类型不对；请写成文字。"),
    ("table.missing_column", "表中缺少所需的列；问答表要有“问题”和“答案”，说明表要有“照片”和“说明”。"),
    ("table.open_quote", "引号没有闭合；请补上。"),
    ("table.ragged", "这一行的列数与标题行不同；请检查逗号和引号。"),
    ("text.empty", "其中没有可编码的文字；请至少写一个词。"),
    ("upload.empty", "没有发送文件；请至少选择一个。"),
    ("upload.not_taken", "这既不是图片，也不是所需的表格。"),
    ("upload.too_many", "同时进行的上传过多；请先结束一个，或稍后再试。"),
    ("upload.too_many_files", "一次上传的文件过多；请分几次上传。"),
    ("upload.unknown", "没有这次上传，或它已经结束；请重新开始。"),
    ("vector.dimension", "向量的维数与集合不符；请用集合的编码器编码。"),
    ("vector.empty", "向量是空的。"),
    ("vector.not_finite", "向量中有非有限的数；请去掉 NaN 和无穷大。"),
    ("vector.other_space", "内容是为集合已弃用的编码器编码的；请重新添加。"),
    ("vector.zero", "向量长度为零，没有方向。"),
    ("wheel.damaged", "下载的包无法理解；请重新获取。"),
];

impl Lang {
    /// Every code's sentence, for a page's scripts; none in English, which the API speaks itself.
    pub fn troubles(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::En => &[],
            Self::Zh => CHINESE,
        }
    }

    /// What is wrong in the reader's language, with the item named. `english` is the error's own sentence.
    pub fn trouble(self, code: &str, item: Option<&str>, english: &str) -> String {
        match (self.troubles().iter().find(|(known, _)| *known == code), item) {
            (Some((_, sentence)), Some(item)) if !item.is_empty() => format!("{item}：{sentence}"),
            (Some((_, sentence)), _) => (*sentence).to_owned(),
            (None, _) => english.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// What commands alone meet, and names of files and tensors that look like codes.
    const NOT_MET: &[&str] = &[
        "attention",
        "augment",
        "backup",
        "bench",
        "config",
        "encoder.layer",
        "encoder.script",
        "eval",
        "intermediate",
        "linear",
        "local",
        "log",
        "output",
        "pairs",
        "photo.unreadable",
        "restore",
        "search.words",
        "serve",
        "text.truncated",
        "token",
        "torch",
    ];
    const FILES: &[&str] =
        &["css", "db", "html", "js", "json", "jsonl", "key", "pkl", "safetensors", "svg", "toml", "txt"];

    /// Everything between quotes in the code below `folder` that is written like a code.
    fn codes(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !matches!(name, "cli" | "tests") {
                    codes(&path, found);
                }
                continue;
            }
            if !name.ends_with(".rs") || matches!(name, "tests.rs" | "troubles.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.extend(
                lines
                    .flat_map(|line| line.split('"').skip(1).step_by(2))
                    .filter(|t| is_code(t))
                    .map(str::to_owned),
            );
        }
    }

    fn is_code(text: &str) -> bool {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let Some((room, what)) = text.split_once('.') else { return false };
        let file = FILES.contains(&what) && !["request.json", "table.json"].contains(&text);
        word(room)
            && word(what)
            && !room.contains('_')
            && !file
            && !NOT_MET.contains(&room)
            && !NOT_MET.contains(&text)
    }

    #[test]
    fn every_code_that_a_page_can_meet_has_a_chinese_sentence() {
        let mut met = BTreeSet::new();
        codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut met);
        assert!(met.len() > 100, "{met:?}");
        let known: BTreeSet<String> = CHINESE.iter().map(|(code, _)| (*code).to_owned()).collect();
        let lacking: Vec<_> = met.difference(&known).collect();
        assert!(lacking.is_empty(), "no Chinese for {lacking:?}");
        let idle: Vec<_> = known.difference(&met).filter(|code| *code != "server.gone").collect();
        assert!(idle.is_empty(), "nothing says {idle:?}");
        for (code, sentence) in CHINESE {
            assert!(sentence.ends_with(['。', '？']), "{code}: {sentence}");
        }
    }

    #[test]
    fn the_item_is_named() {
        let said = |l: Lang| l.trouble("photo.truncated", Some("a.jpg"), "a.jpg: cut off");
        assert_eq!(said(Lang::Zh), "a.jpg：文件在图片结束之前就中断了；请从来源重新复制。");
        assert_eq!(said(Lang::En), "a.jpg: cut off");
        assert_eq!(Lang::Zh.trouble("older.code", None, "as it was"), "as it was");
    }
}
