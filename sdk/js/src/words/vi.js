export default {
  "order": "Đơn hàng {id}",
  "headline": {
    "confirmed": "Đơn hàng đã được xác nhận",
    "preparing": "Nhà hàng đang chuẩn bị món",
    "ready": "Món của bạn đã sẵn sàng",
    "picked_up": "Đơn hàng đang trên đường giao",
    "delivered": "Đã giao. Chúc ngon miệng!",
    "cancelled": "Đơn hàng đã bị hủy",
    "unknown": "Đơn hàng đang được xử lý"
  },
  "step": {
    "confirmed": "Đã xác nhận",
    "preparing": "Đang chuẩn bị",
    "ready": "Sẵn sàng",
    "picked_up": "Đang giao",
    "delivered": "Đã giao",
    "cancelled": "Đã hủy"
  },
  "state": {
    "done": "Đã xong",
    "current": "Hiện tại",
    "next": "Sắp tới",
    "skipped": "Đã bỏ qua"
  },
  "progress": "Bước {number}/{of}",
  "eta": {
    "expected": "Dự kiến giao",
    "overdue": "Ước tính gần nhất",
    "arrived": "Đã giao lúc",
    "planned": "Dự kiến ban đầu:"
  },
  "notice": {
    "cancelled_restaurant": "Nhà hàng đã hủy đơn hàng này.",
    "cancelled_customer": "Đơn hàng đã được hủy theo yêu cầu của khách.",
    "cancelled_courier": "Người giao hàng đã hủy chuyến giao.",
    "cancelled_other": "Đơn hàng sẽ không được giao.",
    "was_picked_up": "Đơn hàng đã rời nhà hàng trước đó.",
    "contact": "Nếu có thắc mắc, vui lòng liên hệ nhà hàng.",
    "reason": "Lý do: {reason}",
    "undone": "Đính chính: “{undone}” đã bị ghi nhầm. Đơn hàng trở lại bước “{to}”.",
    "restored": "Lệnh hủy đã được thu hồi. Đơn hàng được tiếp tục.",
    "courier_replaced": "Một người giao hàng khác đã nhận đơn của bạn.",
    "late": "Đơn hàng sẽ đến muộn hơn dự kiến.",
    "overdue": "Đơn hàng đang muộn hơn dự kiến. Chưa có ước tính mới.",
    "delivered_late": "Đơn hàng đã đến muộn hơn dự kiến."
  },
  "connection": {
    "connecting": "Đang kết nối…",
    "live": "Trực tiếp",
    "reconnecting": "Mất kết nối. Đang thử lại…",
    "offline": "Bạn đang ngoại tuyến.",
    "ended": "Đơn hàng đã kết thúc. Sẽ không có cập nhật nào nữa.",
    "back": "Đã kết nối lại.",
    "checked": "Kiểm tra lần cuối {ago}."
  },
  "updated": {
    "ago": "Cập nhật {ago}",
    "now": "Vừa cập nhật",
    "at": "Cập nhật lúc {time}"
  },
  "share": {
    "button": "Chia sẻ",
    "copied": "Đã sao chép liên kết",
    "failed": "Không sao chép được liên kết. Vui lòng sao chép từ thanh địa chỉ."
  },
  "summary": {
    "title": "Đơn hàng của bạn",
    "total": "Tổng cộng"
  },
  "page": {
    "reload": "Tải lại",
    "noscript": "Tải lại trang này để xem trạng thái mới nhất.",
    "zone": "Múi giờ: {zone}"
  },
  "problem": {
    "gone": "Liên kết này không còn hiệu lực",
    "gone_next": "Liên kết theo dõi sẽ hết hạn một thời gian sau khi giao hàng. Nếu bạn vẫn đang chờ đơn hàng, vui lòng xin nhà hàng liên kết mới.",
    "unknown": "Không tìm thấy đơn hàng này",
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
