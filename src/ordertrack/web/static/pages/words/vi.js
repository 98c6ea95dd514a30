export default {
  "order": "Đơn hàng {id}",
  "summary": {
    "title": "Món bạn đã đặt",
    "each": "{price} mỗi món",
    "total": "Tổng cộng"
  },
  "share": {
    "button": "Chia sẻ",
    "copied": "Đã sao chép liên kết",
    "copy": "Vui lòng sao chép liên kết này:"
  },
  "page": {
    "reload": "Tải lại",
    "latest": "Tải lại trang này để xem trạng thái mới nhất.",
    "languages": "Ngôn ngữ",
    "zone": "Múi giờ: {zone}",
    "updated": "Cập nhật lúc {time}"
  },
  "problem": {
    "gone_next": "Liên kết theo dõi sẽ hết hạn một thời gian sau khi giao hàng. Nếu bạn vẫn đang chờ đơn hàng, vui lòng xin nhà hàng liên kết mới.",
    "unknown_next": "Vui lòng kiểm tra địa chỉ hoặc mở lại liên kết đã gửi cho bạn.",
    "foreign": "Bạn không thể xem đơn hàng này",
    "foreign_next": "Vui lòng mở liên kết đã gửi cho đơn hàng của bạn.",
    "token": "Trang này cần liên kết đã gửi cho bạn",
    "token_next": "Vui lòng mở lại liên kết trong xác nhận đơn hàng.",
    "busy": "Quá nhiều yêu cầu",
    "busy_next": "Vui lòng chờ một lát rồi tải lại trang này.",
    "down": "Hiện chưa thể hiển thị đơn hàng của bạn",
    "down_next": "Vui lòng tải lại trang này sau một phút để xem trạng thái mới nhất.",
    "other": "Đã xảy ra lỗi",
    "other_next": "Vui lòng tải lại trang này. Nếu vẫn không được, vui lòng liên hệ nhà hàng."
  }
};
